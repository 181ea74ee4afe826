"""An event loop in a thread of its own, for tests whose body must be synchronous: those that hypothesis runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")
ResultT = TypeVar("ResultT")

_DEADLINE = 120.0


class Background(Generic[T]):
    """What `context` made, and the loop that it lives on."""

    def __init__(self, value: T, loop: asyncio.AbstractEventLoop) -> None:
        self.value = value
        self._loop = loop

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The coroutine's result; it ran where `value` lives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_DEADLINE)


@contextlib.contextmanager
def in_background(
    context: Callable[[], contextlib.AbstractAsyncContextManager[T]],
) -> Iterator[Background[T]]:
    """Enters `context` in another thread's loop, and leaves it there, in the same task, at the end."""
    entered: Future[Background[T]] = Future()
    stop: list[Callable[[], object]] = []

    async def live() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        async with _told(context(), entered) as value:
            entered.set_result(Background(value, loop))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="background loop")
    thread.start()
    try:
        yield entered.result(_DEADLINE)
    finally:
        for ask in stop:
            ask()
        thread.join(_DEADLINE)


@contextlib.asynccontextmanager
async def _told(context: contextlib.AbstractAsyncContextManager[T], entered: Future[Background[T]]) -> AsyncIterator[T]:
    """`context`; if it cannot be entered, whoever waits for that hears why."""
    try:
        async with context as value:
            yield value
    except BaseException as error:
        if not entered.done():
            entered.set_exception(error)
            return
        raise

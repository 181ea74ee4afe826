"""Waiting for a condition, never for a duration."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar, overload

T = TypeVar("T")

_POLL = 0.02  # seconds


@overload
async def eventually(condition: Callable[[], Coroutine[Any, Any, T | None]], *, deadline: timedelta = ...) -> T: ...


@overload
async def eventually(condition: Callable[[], T | None], *, deadline: timedelta = ...) -> T: ...


async def eventually(condition: Callable[[], Any], *, deadline: timedelta = timedelta(seconds=10)) -> Any:
    """The first true value of `condition`, a function or a coroutine function. An AssertionError in it means "not yet".

    Raises:
        AssertionError: there was none before `deadline`; names the last value.
    """
    last: object = "nothing yet: the first look did not return"
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            while True:
                try:
                    result = condition()
                    value = await result if inspect.isawaitable(result) else result
                    if value:
                        return value
                    last = value
                except AssertionError as error:
                    last = error
                await asyncio.sleep(_POLL)
    except TimeoutError:
        raise AssertionError(f"not within {deadline.total_seconds():g} s; the last value was {last!r}") from None

"""The latest of a stream of values, in bounded memory, for any number of readers.

All readers share one buffer: a slow one costs no memory, it misses what has left the buffer and is told how much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from xds.bell import Bell

T = TypeVar("T")


class Window(Generic[T]):
    """The newest values, oldest first. `limit` bounds the sum of their weights; `weigh` says what one weighs, 1 or
    more (by default each weighs 1). One owner, one thread."""

    def __init__(self, limit: int, *, weigh: Callable[[T], int] = lambda _: 1) -> None:
        if limit < 1:
            raise ValueError(f"limit: got {limit}, want 1 or more")
        self.limit = limit
        self._weigh = weigh
        self._values: deque[T] = deque()
        self._weight = 0
        self._added = 0  # values ever added; the oldest one that is here is number `_added - len(_values)`
        self._missed = 0
        self._oversized = 0
        self._bell = Bell()

    def add(self, value: T) -> None:
        """Adds the newest value; the oldest ones make room. Wakes the readers. A value that is heavier than the limit
        is not taken: it would cost all others."""
        weight = self._weigh(value)
        if weight > self.limit:
            self._oversized += 1
            return
        self._values.append(value)
        self._added += 1
        self._weight += weight
        while self._weight > self.limit:
            self._weight -= self._weigh(self._values.popleft())
        self._bell.ring()

    @property
    def values(self) -> tuple[T, ...]:
        """All that is here, oldest first."""
        return tuple(self._values)

    @property
    def weight(self) -> int:
        return self._weight

    @property
    def added(self) -> int:
        """How many values were ever taken."""
        return self._added

    @property
    def left(self) -> int:
        """How many values have left to make room for newer ones."""
        return self._added - len(self._values)

    @property
    def missed(self) -> int:
        """How many values left before a reader that follows had come to them, summed over all readers."""
        return self._missed

    @property
    def oversized(self) -> int:
        """How many values were heavier than the limit, and not taken."""
        return self._oversized

    def follow(self, *, from_oldest: bool = False) -> Reader[T]:
        """Reads each value that is added from now on; with `from_oldest`, first all that is here."""
        return Reader(self, self.left if from_oldest else self._added)

    def _at(self, number: int) -> T:
        return self._values[number - self.left]

    def _lost(self, count: int) -> None:
        self._missed += count

    async def _newer(self) -> None:
        await self._bell.rung()


class Reader(AsyncIterator[T]):
    """One reader's place in a window. Ends never; stop reading when you are done. `missed` counts what left the window
    before this reader came to it."""

    def __init__(self, window: Window[T], place: int) -> None:
        """Use `Window.follow`."""
        self._window = window
        self._next = place
        self.missed = 0

    def __aiter__(self) -> Reader[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            lost = self._window.left - self._next
            if lost > 0:
                self.missed += lost
                self._window._lost(lost)
                self._next += lost
            if self._next < self._window.added:
                value = self._window._at(self._next)
                self._next += 1
                return value
            await self._window._newer()

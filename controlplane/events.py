"""What happens in the mesh, as it happens, for all who watch. Bounded: a slow watcher loses the oldest and is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from registry.model import Revision
from xds.fleet import Connected, Disconnected, Refused

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Published:
    """A revision reached the streams; `groups` are those whose snapshot changed."""

    revision: int
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The watcher was too slow: so many events were dropped before the next."""

    count: int


Happening: TypeAlias = Revision | Published | Connected | Disconnected | Refused | Lost


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    what: Happening


class Watcher:
    """One watcher's backlog."""

    def __init__(self) -> None:
        self._backlog: deque[Event] = deque()
        self._lost = 0
        self._ready = asyncio.Event()

    def add(self, event: Event) -> None:
        if len(self._backlog) >= _BACKLOG:
            self._backlog.popleft()
            self._lost += 1
        self._backlog.append(event)
        self._ready.set()

    async def events(self) -> AsyncIterator[Event]:
        """Each event from the watcher's start on, without end."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._backlog:
                event = self._backlog.popleft()
                if self._lost:
                    lost, self._lost = self._lost, 0
                    yield Event(event.at, Lost(lost))
                yield event


class EventBus:
    """Tells every watcher of every event. Lives on one event loop."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    def tell(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher.add(event)

    @contextmanager
    def watcher(self) -> Iterator[Watcher]:
        """A watcher of all that happens while the context lasts."""
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

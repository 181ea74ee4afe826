"""Looks at the conditions of all documents when nobody asks, so that the time of a transition is when it happened.

What they are: `policy.conditions`. Since when: `controlplane.transitions`. This only decides when to look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from typing import TypeAlias, TypeVar

from registry.model import DocumentKey
from xds.fleet import ClientStatus

T = TypeVar("T")

_log = logging.getLogger("apg.noticing")

_CEILING = 10  # times `quiet`
_SLICE = 0.002  # seconds of looking before others have their turn
_REST = 20  # times as long as was looked: 5 % of one core at most

Look: TypeAlias = Callable[[DocumentKey], object]


class Noticing:
    """Looks at every document after each change, once things are quiet: what is pending for the moment between a
    publication and its ACKs is no transition. Work is bounded: a slice of looking, then a long rest.

    looking: what looks at documents, when these are the proxies. proxies, documents: all there are, as they stand.
    """

    def __init__(
        self,
        looking: Callable[[Sequence[ClientStatus]], Look],
        proxies: Callable[[], Iterator[ClientStatus]],
        documents: Callable[[], Collection[DocumentKey]],
        *,
        quiet: timedelta = timedelta(seconds=1),
    ) -> None:
        self._looking = looking
        self._proxies = proxies
        self._documents = documents
        self._quiet = quiet.total_seconds()
        self._changed = asyncio.Event()
        self.complete = 0  # times that all documents were looked at, with nothing changed meanwhile

    def ring(self) -> None:
        """Something may have changed: a publication, an ACK, a proxy that came or went. Costs nothing."""
        self._changed.set()

    async def run(self) -> None:
        """Looks until cancelled."""
        left: list[DocumentKey] = []
        while True:
            await self._changed.wait()
            await self._settled()
            # Those that were not reached last time are looked at first, so that each has its turn however much changes.
            there, waiting = set(self._documents()), set(left)
            left = [*(there - waiting), *(key for key in left if key in there)]  # taken from the end
            try:
                left = await self._look(left)
            except Exception:  # noqa: BLE001  # nobody asked: what goes wrong here must not end what proxies are served by
                _log.exception("the conditions of documents could not be looked at")
                left = []

    async def _settled(self) -> None:
        """Returns once nothing has changed for `quiet`, or at the ceiling."""
        end = time.monotonic() + _CEILING * self._quiet
        while self._changed.is_set() and time.monotonic() < end:
            self._changed.clear()
            await asyncio.sleep(self._quiet)
        self._changed.clear()

    async def _look(self, left: list[DocumentKey]) -> list[DocumentKey]:
        """Those that were not looked at, because something changed first."""
        taken = list[ClientStatus]()
        for rest in _sliced(self._proxies(), taken.append):
            await asyncio.sleep(rest)
            if self._changed.is_set():
                return left
        look = self._looking(taken)
        for rest in _sliced(_popped(left), look):
            await asyncio.sleep(rest)
            if self._changed.is_set():
                return left
        self.complete += 1
        return left


def _popped(keys: list[DocumentKey]) -> Iterator[DocumentKey]:
    while keys:
        yield keys.pop()


def _sliced(items: Iterator[T], do: Callable[[T], object]) -> Iterator[float]:
    """Does it for each; yields the seconds of rest that are due after each slice, and at the end."""
    began = time.monotonic()
    for item in items:
        do(item)
        if (worked := time.monotonic() - began) >= _SLICE:
            yield _REST * worked
            began = time.monotonic()
    yield _REST * (time.monotonic() - began)

"""When the conditions of documents are looked at: after changes, once it is quiet, each in its turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest

from controlplane.noticing import Look, Noticing
from registry.model import DocumentKey
from tests.conditions import eventually
from xds.fleet import ClientStatus, Fleet

KEYS = [DocumentKey("HTTPRoute", "default", f"route-{number}") for number in range(20)]


class Looks:
    """What was looked at, and what comes with the look at each."""

    def __init__(self) -> None:
        self.taken_down = 0
        self.at: Counter[DocumentKey] = Counter()
        self.beside: Callable[[], None] = lambda: None

    def looking(self, proxies: Sequence[ClientStatus]) -> Look:
        self.taken_down += 1
        return self.look

    def look(self, key: DocumentKey) -> None:
        self.at[key] += 1
        self.beside()


@contextlib.asynccontextmanager
async def running(noticing: Noticing) -> AsyncIterator[None]:
    task = asyncio.create_task(noticing.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def noticing_of(looks: Looks) -> Noticing:
    return Noticing(looks.looking, Fleet().each, lambda: KEYS, quiet=timedelta(milliseconds=5))


async def test_a_flood_of_changes_is_one_look_at_each_document() -> None:
    looks = Looks()
    noticing = noticing_of(looks)
    async with running(noticing):
        assert not looks.at
        for _ in range(1_000):
            noticing.ring()
        await eventually(lambda: noticing.complete == 1)
        assert looks.at == Counter(KEYS)
        noticing.ring()
        await eventually(lambda: noticing.complete == 2)
        assert set(looks.at.values()) == {2}


async def test_whatever_changes_meanwhile_is_taken_down_anew_and_each_has_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controlplane.noticing._SLICE", 0.0)  # one document, then the others' turn
    looks = Looks()
    noticing = noticing_of(looks)
    looks.beside = noticing.ring  # with each look, something changes
    async with running(noticing):
        noticing.ring()
        await eventually(lambda: len(looks.at) == len(KEYS))
        assert looks.taken_down >= looks.at.total()
        assert max(looks.at.values()) <= 2
        looks.beside = lambda: None
        await eventually(lambda: noticing.complete == 1)


async def test_a_mistake_is_logged_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    looks = Looks()
    noticing = noticing_of(looks)
    looks.beside = fail
    async with running(noticing):
        noticing.ring()
        await eventually(lambda: "could not be looked at" in caplog.text)
        looks.beside = lambda: None
        noticing.ring()
        await eventually(lambda: noticing.complete == 1)

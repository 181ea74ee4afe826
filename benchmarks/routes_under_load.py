"""The requests that fail while routes come and change: there has to be none."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rich.progress import Progress

from benchmarks.report import Row

_FLIPPING = 20
_FLIPS = 10
_CLIENTS = 4


class Routes(Protocol):
    """A control plane and an Envoy with one route that nobody touches, and others, by number."""

    async def put_other(self, number: int, *, version: int) -> None:
        """Puts one of the other routes in place, and waits for nothing."""

    async def is_answered(self, number: int | None) -> bool:
        """Whether a request to one of the others (None: to the one that nobody touches) is answered by that route, in
        one of its versions."""


async def failed_under_load(routes: Routes, progress: Progress, *, count: int) -> Row:
    """Adds `count` routes one by one, then lets 20 of them go to and fro, while requests are sent: first to the route
    that nobody touches, then to the 20 as well. A request fails unless its route answers it."""
    asked, failed, flipping = 0, 0, min(_FLIPPING, count)
    answered_by: tuple[int | None, ...] = (None,)
    over = asyncio.Event()

    async def ask() -> None:
        nonlocal asked, failed
        while not over.is_set():
            for number in answered_by:
                asked += 1
                failed += not await routes.is_answered(number)

    async with asyncio.TaskGroup() as tasks:
        clients = [tasks.create_task(ask()) for _ in range(_CLIENTS)]
        task = progress.add_task("routes under load", total=count + _FLIPS * flipping)
        for number in range(count):
            await routes.put_other(number, version=0)
            progress.advance(task)
        async with asyncio.timeout(30):
            for number in (*range(flipping), count - 1):
                while not await routes.is_answered(number):
                    pass
        answered_by = (None, *range(flipping))
        for flip in range(_FLIPS):
            for number in range(flipping):
                await routes.put_other(number, version=1 - flip % 2)
                progress.advance(task)
        over.set()
        await asyncio.gather(*clients)
    return Row(
        figure=f"requests that failed while {count:,} routes were added and {flipping} went to and fro",
        unit="requests",
        ours=failed,
        spread=(failed, failed),
        bar="0",
        holds=failed == 0,
        note=f"of {asked:,}",
    )

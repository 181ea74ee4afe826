"""Waking whoever waits for something to change. Who waits looks first whether it has changed: a ring is not kept."""

from __future__ import annotations

import asyncio


class Bell:
    """One owner, one thread."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wakes all that wait now."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def rung(self) -> None:
        """Until the next ring."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

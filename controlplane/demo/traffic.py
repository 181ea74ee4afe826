"""The demo's clients: requests that never stop, and a measured burst, over the same gateway."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

_PATHS = ("/", "/pay", "/pay/42", "/checkout")
_PAUSE = 0.01  # seconds between two requests of one client
_CLIENTS = 4
_PARALLEL = 16


@dataclass(slots=True)
class Tally:
    """What became of requests. `failures` are those that got no answer or an error of the server, in words."""

    requests: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.failures.total()


class Traffic:
    """Steady background traffic through a gateway, and bursts; every request counts in `tally`."""

    def __init__(self, gateway: str) -> None:
        self.tally = Tally()
        self._gateway = gateway
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=20), connector=aiohttp.TCPConnector(limit=64)
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(_CLIENTS)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def burst(self, path: str, requests: int, *, progress: Callable[[int], None]) -> Counter[str]:
        """Sends `requests` to `path`; which versions answered."""
        versions: Counter[str] = Counter()
        left = iter(range(requests))

        async def client() -> None:
            for _ in left:
                version = await self._request(path)
                if version is not None:
                    versions[version] += 1
                progress(1)

        await asyncio.gather(*(client() for _ in range(_PARALLEL)))
        return versions

    async def _client(self) -> None:
        while True:
            await self._request(random.choice(_PATHS))
            await asyncio.sleep(_PAUSE)

    async def _request(self, path: str) -> str | None:
        """The version that answered, or None for a failure."""
        self.tally.requests += 1
        try:
            async with self._session.get(self._gateway + path) as response:
                if response.status >= 500:
                    self.tally.failures[f"{response.status} {(await response.text())[:60]}"] += 1
                    return None
                body = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.failures[f"{type(error).__name__}: {error}"[:80]] += 1
            return None
        version = f"{body['service']} {body['version']}"
        self.tally.versions[version] += 1
        return version

"""Real Envoys in tests: one that runs for a test, what it holds, and traffic through it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from controlplane.bootstrap import BootstrapOptions, Variant
from controlplane.errors import ProxyError
from controlplane.proxy import EnvoyProcess, find_envoy
from tests.parts import missing


def envoy_binary() -> Path:
    """Envoy, or the end of the test that needs it."""
    try:
        return find_envoy()
    except ProxyError as error:
        missing("Envoy", str(error))


@contextlib.asynccontextmanager
async def running_envoy(
    xds_port: int,
    group: str,
    *,
    log_path: Path,
    node_id: str = "envoy",
    variant: Variant = Variant.DELTA,
    zone: str = "",
    wait_until_ready: bool = True,
    **telemetry: Any,
) -> AsyncIterator[EnvoyProcess]:
    """An Envoy of `group` that is served by the control plane on loopback's `xds_port`. `telemetry`: the options of
    `BootstrapOptions` that say what it reports."""
    options = BootstrapOptions(
        node_id=node_id, group=group, xds_host="127.0.0.1", xds_port=xds_port, variant=variant, zone=zone, **telemetry
    )
    async with await EnvoyProcess.start(options, envoy=envoy_binary(), log_path=log_path) as envoy:
        if wait_until_ready:
            await envoy.ready()
        yield envoy


async def config_dump(envoy: EnvoyProcess) -> Mapping[str, Any]:
    """What Envoy holds, endpoints included, by kind of dump: "ClustersConfigDump", "ListenersConfigDump", ..."""
    dump = json.loads(await envoy.admin_get("/config_dump?include_eds"))
    return {part["@type"].rpartition(".")[2]: part for part in dump["configs"]}


async def listener_addresses(envoy: EnvoyProcess) -> Mapping[str, tuple[str, int]]:
    """Where Envoy listens, by listener name."""
    listeners = json.loads(await envoy.admin_get("/listeners?format=json"))
    return {
        status["name"]: (address["address"], address["port_value"])
        for status in listeners.get("listener_statuses", [])
        for address in [status["local_address"]["socket_address"]]
    }


@dataclass(slots=True)
class Totals:
    """What became of requests. `errors` are those without an answer; `served_by` counts "payment v2" and the like,
    from the bodies of the demo's backends; `bodies` are those of other answers."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    bodies: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.statuses.total() + self.errors.total()

    @property
    def failed(self) -> int:
        """Requests without an answer, or with a server error."""
        return self.errors.total() + sum(count for status, count in self.statuses.items() if status >= 500)


class Traffic:
    """GET requests to `url` while the context lasts: `rate` a second, `concurrency` of them at once at most.

    `totals` grows meanwhile. Requests in flight at the end are waited for, so none fails because the test is over.
    """

    def __init__(
        self, url: str, *, rate: float = 200.0, concurrency: int = 8, headers: Mapping[str, str] | None = None
    ) -> None:
        self.totals = Totals()
        self._url = url
        self._interval = 1.0 / rate
        self._concurrency = concurrency
        self._headers = headers
        self._next = 0.0
        self._stopping = False
        self._clients: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Traffic:
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), headers=self._headers)
        self._session = session
        self._clients = [asyncio.create_task(self._client(session)) for _ in range(self._concurrency)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> Totals:
        """Ends the traffic; what it came to."""
        self._stopping = True
        try:
            await asyncio.gather(*self._clients)
        finally:
            if self._session is not None:
                await self._session.close()
        return self.totals

    async def _client(self, session: aiohttp.ClientSession) -> None:
        now = asyncio.get_running_loop().time
        while not self._stopping:
            # Slots that nobody was free for are dropped: traffic that catches up would be a burst.
            self._next = max(self._next + self._interval, now())
            await asyncio.sleep(self._next - now())
            await self._request(session)

    async def _request(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.get(self._url) as response:
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.totals.errors[f"{type(error).__name__}: {error}"] += 1
            return
        self.totals.statuses[response.status] += 1
        if (name := _served_by(body)) is not None:
            self.totals.served_by[name] += 1
        else:
            self.totals.bodies[body[:200]] += 1


def _served_by(body: str) -> str | None:
    try:
        answer = json.loads(body)
        return f"{answer['service']} {answer['version']}"
    except (ValueError, KeyError, TypeError):
        return None

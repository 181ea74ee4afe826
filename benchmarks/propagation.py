"""How fast does a change arrive?

Two figures, each beside a floor that runs in alternation with it:

push to ACK: from handing a snapshot to the cache to the real Envoy's ACK. Beside it: a server that sends prepared bytes
and keeps no books.
apply to first changed answer: from the admin API's Apply, through registry, compiler and streams, to the first request
that Envoy answers by the new route. Beside it: an Envoy whose routes come from a file that is replaced. Once with no
other route, and once with 3,000 others.

And one that has to be nothing: the requests that fail while 3,000 routes are added one by one and 20 go to and fro.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from rich.console import Console
from rich.progress import Progress

from benchmarks import fleets
from benchmarks.file_routes import FileRoutes
from benchmarks.intervals import of_percentile, of_quotient, percentile, quartiles
from benchmarks.report import Report, Row
from benchmarks.routes_under_load import failed_under_load
from benchmarks.static_ads import StaticAds
from controlplane.app import ControlPlane, running
from controlplane.bootstrap import BootstrapOptions
from controlplane.config import Config
from controlplane.operations import Attribution
from controlplane.ports import free_port
from controlplane.proxy import EnvoyProcess
from policy.backends import Backend
from policy.compiler.clusters import cluster
from policy.compiler.endpoints import load_assignment
from policy.compiler.inputs import BoundPort, HttpListener, ReachedBackend
from policy.compiler.listeners import listener
from policy.effective import NOTHING
from policy.reading import read_documents
from registry.model import Protocol, ServiceKey
from xds.cache import SnapshotCache
from xds.fleet import Accepted, Fleet, FleetEvent
from xds.frames import delta_frame
from xds.garbage import collect_rarely
from xds.resource import Resource
from xds.resource_types import ROUTE
from xds.server import Server
from xds.snapshot import Snapshot
from xds.wire import string

_NAME = "bench"
_BACKEND = Backend(ServiceKey(_NAME, _NAME), None)
_WARM_UP = 10
_BAR_MS = 3.0
_OTHERS = 3_000
_AT_ONCE = 1_000  # documents: a request is at most 1 MiB
_BAR_P50_MS, _BAR_P99_MS = 25.0, 100.0
_BY = Attribution("benchmark", "")


async def run(*, console: Console, quick: bool) -> Report:
    """Measures both figures; `quick` shows only that they can be measured."""
    report = Report("propagation")
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder, Progress(console=console) as progress:
        await _push_to_ack(report, Path(folder), progress, rounds=20 if quick else 400)
        sizes = ((0, None),) if quick else ((0, None), (100, None), (1_000, None))
        for others, bars in (*sizes, (30 if quick else _OTHERS, (_BAR_P50_MS, _BAR_P99_MS))):
            place = Path(folder) / f"beside-{others}"
            place.mkdir()
            await _apply_to_answer(report, place, progress, rounds=5 if quick else 60, others=others, bars=bars)
        await _added_under_load(report, Path(folder), progress, count=30 if quick else _OTHERS)
        await fleets.add(report, Path(folder), console, quick=quick)
    return report


async def _push_to_ack(report: Report, folder: Path, progress: Progress, *, rounds: int) -> None:
    async with AsyncExitStack() as parts:
        ours = await _OurPush.start(parts, folder)
        floor = await _StaticPush.start(parts, folder)
        samples = await _alternate(progress, "push to ACK", rounds, {"ours": ours.push, "peer": floor.push})
    _add(report, samples, "push to ACK, one route", "prepared bytes over grpc.aio", bars=(_BAR_MS, None))


async def _apply_to_answer(
    report: Report,
    folder: Path,
    progress: Progress,
    *,
    rounds: int,
    others: int,
    bars: tuple[float, float] | None,
) -> None:
    async with AsyncExitStack() as parts:
        ours = await _OurApply.start(parts, folder, others=others)
        floor = await FileRoutes.start(parts, folder, others=others)
        samples = await _alternate(progress, "apply to answer", rounds, {"ours": ours.change, "peer": floor.change})
    of = f"one route of {others + 1:,}" if others else "one route"
    _add(report, samples, f"apply to first changed answer, {of}", "Envoy's file watch", bars=bars)


async def _added_under_load(report: Report, folder: Path, progress: Progress, *, count: int) -> None:
    place = folder / "added"
    place.mkdir()
    async with AsyncExitStack() as parts:
        ours = await _OurApply.start(parts, place)
        report.add(await failed_under_load(ours, progress, count=count))


async def _alternate(
    progress: Progress, name: str, rounds: int, sides: dict[str, Callable[[int], Awaitable[float]]]
) -> dict[str, list[float]]:
    """Seconds of each side, round by round in turn, so that whatever else the machine does meets both."""
    task = progress.add_task(name, total=rounds)
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + _WARM_UP):
        for side, measure in sides.items():
            seconds = await measure(number)
            if number >= _WARM_UP:
                samples[side].append(seconds)
        if number >= _WARM_UP:
            progress.advance(task)
    return samples


def _add(
    report: Report,
    samples: dict[str, list[float]],
    figure: str,
    peer_name: str,
    *,
    bars: tuple[float, float | None] | None,
) -> None:
    ours, peer = ([seconds * 1_000 for seconds in samples[side]] for side in ("ours", "peer"))
    for label, share, bar_ms in (("p50", 0.5, bars[0] if bars else None), ("p99", 0.99, bars[1] if bars else None)):
        value = percentile(ours, share)
        report.add(
            Row(
                figure=f"{figure}, {label}",
                unit="ms",
                ours=value,
                spread=quartiles(ours),
                peer=peer_name,
                peer_value=percentile(peer, share),
                bar=f"≤ {bar_ms:g} ms" if bar_ms is not None else None,
                holds=value <= bar_ms if bar_ms is not None else None,
                note=f"{len(ours)} rounds in alternation",
                samples=tuple(ours),
                peer_samples=tuple(peer),
                interval=of_percentile(ours, share),
                ratio_interval=of_quotient(ours, peer, partial(percentile, share=share)),
                floor=True,
            )
        )


def _routes(number: int) -> Resource:
    """The one route, in its `number`th version."""
    return Resource.of(
        RouteConfiguration(
            name=_NAME,
            virtual_hosts=[
                VirtualHost(
                    name="all",
                    domains=["*"],
                    routes=[
                        Route(
                            match=RouteMatch(prefix=f"/version/{number}"),
                            direct_response=DirectResponseAction(status=200, body=DataSource(inline_string="direct")),
                        ),
                        Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=str(_BACKEND))),
                    ],
                )
            ],
        )
    )


def _base(port: int) -> list[Resource]:
    return [
        Resource.of(cluster(ReachedBackend(_BACKEND, Protocol.HTTP, NOTHING))),
        Resource.of(load_assignment(str(_BACKEND), ())),
        Resource.of(listener(BoundPort(_NAME, ("127.0.0.1",), port, (HttpListener(_NAME, NOTHING, ()),)))),
    ]


class _OurPush:
    """Our server and an Envoy of its own."""

    def __init__(self, cache: SnapshotCache, snapshot: Snapshot) -> None:
        self._cache = cache
        self._snapshot = snapshot
        self._acked: asyncio.Future[float] | None = None

    @classmethod
    async def start(cls, parts: AsyncExitStack, folder: Path) -> _OurPush:
        cache, fleet = SnapshotCache(), Fleet()
        snapshot = Snapshot.of([*_base(free_port()), _routes(-1)])
        cache.publish(_NAME, snapshot)
        made = cls(cache, snapshot)
        fleet.listen(made._on_event)
        server = Server(cache, fleet)
        port = await server.start("127.0.0.1:0")
        parts.push_async_callback(server.stop, grace=0)
        await _envoy(parts, folder, "ours", port)
        return made

    async def push(self, number: int) -> float:
        snapshot = self._snapshot.replace(put=[_routes(number)])
        self._acked = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        self._cache.publish(_NAME, snapshot)
        end = await asyncio.wait_for(self._acked, 30)
        self._snapshot = snapshot
        return end - start

    def _on_event(self, event: FleetEvent) -> None:
        waits = self._acked is not None and not self._acked.done()
        if waits and isinstance(event, Accepted) and event.acceptance.type is ROUTE:
            assert self._acked is not None
            self._acked.set_result(time.perf_counter())


class _StaticPush:
    """The floor and an Envoy of its own."""

    def __init__(self, server: StaticAds) -> None:
        self._server = server

    @classmethod
    async def start(cls, parts: AsyncExitStack, folder: Path) -> _StaticPush:
        server = StaticAds([*_base(free_port()), _routes(-1)])
        port = await server.start()
        parts.push_async_callback(server.stop)
        await _envoy(parts, folder, "static", port)
        await server.routes_sent.wait()
        return cls(server)

    async def push(self, number: int) -> float:
        return await self._server.push(string(4, ROUTE.type_url) + delta_frame(_routes(number)))


class _OurApply:
    """A whole control plane and an Envoy of its own; a change is a redirect to another place."""

    def __init__(self, control_plane: ControlPlane, port: int, session: aiohttp.ClientSession) -> None:
        self._control_plane = control_plane
        self._port = port
        self._session = session

    @classmethod
    async def start(cls, parts: AsyncExitStack, folder: Path, *, others: int = 0) -> _OurApply:
        config = Config(xds_address="127.0.0.1:0", admin_address="127.0.0.1:0", state=folder / "mesh.db")
        control_plane = await parts.enter_async_context(running(config))
        session = await parts.enter_async_context(aiohttp.ClientSession())
        made = cls(control_plane, free_port(), session)
        await made._apply(-1)
        for first in range(0, others, _AT_ONCE):
            texts = "---".join(_other(number, version=0) for number in range(first, min(others, first + _AT_ONCE)))
            await control_plane.operations.apply(read_documents(texts.encode(), source="bench"), by=_BY)
        port = control_plane.addresses.xds.rpartition(":")[2]
        await _envoy(parts, folder, "whole", int(port), group="default/bench")
        await made._answer(-1)
        collect_rarely()  # as `apg up` does once it serves
        return made

    async def change(self, number: int) -> float:
        start = time.perf_counter()
        await self._apply(number)
        await self._answer(number)
        return time.perf_counter() - start

    async def _apply(self, number: int) -> None:
        documents = _DOCUMENTS.replace("PORT", str(self._port)).replace("VERSION", str(number % 10_000))
        await self._control_plane.operations.apply(read_documents(documents.encode(), source="bench"), by=_BY)

    async def put_other(self, number: int, *, version: int) -> None:
        """Puts one of the other routes in place, and waits for nothing."""
        documents = read_documents(_other(number, version=version).encode(), source="bench")
        await self._control_plane.operations.apply(documents, by=_BY)

    async def is_answered(self, number: int | None) -> bool:
        """Whether a request to one of the other routes (None: to the one beside them) is answered by that route."""
        host, path, location = (
            ("localhost", "/", "/version/") if number is None else (_host(number), f"/{number}", "/other/")
        )
        try:
            async with self._session.get(
                f"http://127.0.0.1:{self._port}{path}", headers={"host": host}, allow_redirects=False
            ) as response:
                return location in response.headers.get("location", "")
        except aiohttp.ClientError:
            return False

    async def _answer(self, number: int) -> None:
        await first_answer(self._session, self._port, f"/version/{number % 10_000}")


def _other(number: int, *, version: int) -> str:
    return _OTHER.replace("NUMBER", str(number)).replace("HOST", _host(number)).replace("VERSION", str(version))


def _host(number: int) -> str:
    return f"host-{number // 10}.example.com"


async def first_answer(session: aiohttp.ClientSession, port: int, location: str) -> None:
    """Asks on until the answer redirects to `location`."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/", allow_redirects=False) as response:
                    if response.headers.get("location", "").endswith(location):
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)  # the listener is not up yet


async def _envoy(parts: AsyncExitStack, folder: Path, name: str, port: int, *, group: str = _NAME) -> EnvoyProcess:
    options = BootstrapOptions(node_id=f"bench-{name}", group=group, xds_host="127.0.0.1", xds_port=port)
    envoy = await parts.enter_async_context(await EnvoyProcess.start(options, log_path=folder / f"{name}.log"))
    await envoy.ready()
    return envoy


_DOCUMENTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bench}
spec:
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, protocol: HTTP, port: PORT}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: only}
spec:
  parentRefs: [{name: bench}]
  rules:
    - filters:
        - type: RequestRedirect
          requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /version/VERSION}}
"""

_OTHER = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: other-NUMBER}
spec:
  parentRefs: [{name: bench}]
  hostnames: [HOST]
  rules:
    - matches: [{path: {type: PathPrefix, value: /NUMBER}}]
      filters:
        - type: RequestRedirect
          requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /other/VERSION}}
"""

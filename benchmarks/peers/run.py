"""`python -m benchmarks peers`: APG Mesh beside other control planes, each driven by its own documents.

    --set peers=istiod,envoy-gateway   which (`all`)
    --set sizes=1,100                  numbers of routes: 1, or multiples of ten
    --set rounds=20 --set seconds=20   changes for each size, or for so long, if that is sooner; three if possible
    --set changes=1000 --set proxies=1000

Each peer runs with a side of ours beside it, in alternation. What is missing is built, which takes minutes; with
`--quick` only what is built is run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.peers import builds, findings
from benchmarks.peers.backend import running_backend
from benchmarks.peers.builds import Built, MissingError
from benchmarks.peers.driven import Driven
from benchmarks.peers.envoy_gateway import EnvoyGateway
from benchmarks.peers.findings import Findings
from benchmarks.peers.go_control_plane import GoControlPlane
from benchmarks.peers.istiod import Istiod
from benchmarks.peers.ours import Ours
from benchmarks.peers.side import Side
from benchmarks.report import Report

_LEAST_ROUNDS = 3
_PATIENCE = 5  # times as long as changes of one size may take, one has to do
_FLEET_ROUNDS = 10
_PER_SECOND = 50.0
_ISTIO = (builds.ISTIOD, builds.ISTIO_CRDS, builds.KUBE_APISERVER)


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is started, in a folder of its own and with all endpoints on one port.

    parts: what has to be built. fleet: whether simulated proxies are connected, too. merges: whether changes that come
    faster than it works become one; if not, a thousand of them at a pace may take it half an hour.
    """

    name: str
    start: Callable[[Path, int], AbstractAsyncContextManager[Side]]
    parts: Sequence[Built]
    fleet: bool = True
    merges: bool = True


PEERS = {
    "go-control-plane": Peer(
        GoControlPlane.name,
        lambda _, backend: GoControlPlane.running(backend=backend),
        (builds.GO_CONTROL_PLANE,),
    ),
    "istiod": Peer("istiod", lambda folder, backend: Istiod.running(folder, backend=backend), _ISTIO),
    "istiod-undebounced": Peer(
        "istiod, debounce 1 ms",
        lambda folder, backend: Istiod.running(folder, backend=backend, debounce_ms=1),
        _ISTIO,
        fleet=False,
    ),
    "envoy-gateway": Peer(
        EnvoyGateway.name,
        lambda folder, backend: EnvoyGateway.running(folder, backend=backend),
        (builds.ENVOY_GATEWAY,),
        merges=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; `seconds` bounds what may take long, where a peer is slow."""

    routes: Sequence[int]
    rounds: int
    seconds: float
    changes: int
    proxies: int

    @property
    def busy(self) -> int:
        """The number of routes with which many changes are made, and many proxies connected."""
        return self.routes[min(1, len(self.routes) - 1)]


async def run(
    *,
    console: Console,
    quick: bool,
    peers: str = "all",
    sizes: str = "1,100,1000,3000",
    rounds: int = 20,
    seconds: float = 20.0,
    changes: int = 1_000,
    proxies: int = 1_000,
) -> Report:
    """Measures all figures beside each of `peers`; `quick` shows only that they can be measured.

    Raises:
        ValueError: there is no such peer, or a size is no number.
    """
    size = Size([int(each) for each in sizes.split(",")], rounds, seconds, changes, proxies)
    if quick:
        size = Size([1, 20], 3, 2.0, 5, 10)
    report = Report("peers")
    for name in PEERS if peers == "all" else peers.split(","):
        if name not in PEERS:
            raise ValueError(f"peers: got {name!r}, want some of {', '.join(PEERS)}")
        peer = PEERS[name]
        console.print(f"beside {peer.name}")
        try:
            await _ready(peer, build=not quick, console=console)
            found = Findings(report, console, peer.name)
            await _growth(found, peer, size)
            if peer.fleet:
                await _fleet(found, peer, size)
        except (MissingError, RuntimeError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            report.notes.append(f"{peer.name} was not measured to the end: {why}")
            console.print(report.notes[-1], markup=False)
    findings.draw(report)
    return report


async def _ready(peer: Peer, *, build: bool, console: Console) -> None:
    """Raises MissingError where a part is not there and may not, or cannot, be built."""
    missing = [part for part in peer.parts if not part.exists]
    if missing and not build:
        names = ", ".join(part.name for part in missing)
        raise MissingError(f"{names} not built: `python -m benchmarks peers` builds it, where Go is")
    for part in missing:
        console.print(f"building {part.name}: minutes, once")
        await part.get()


async def _pair(parts: AsyncExitStack, peer: Peer) -> tuple[Driven, Driven]:
    """Ours and the peer's, running: xDS has the same transport on both sides."""
    folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="apg-peers-")))
    backend = await parts.enter_async_context(running_backend())
    theirs, ours = folder / "theirs", folder / "ours"
    for each in (theirs, ours):
        each.mkdir()
    their_side = await parts.enter_async_context(peer.start(theirs, backend))
    certificates = their_side.xds.certificates
    our_side = await parts.enter_async_context(Ours.running(ours, backend=backend, certificates=certificates))
    return (
        await parts.enter_async_context(Driven.running(our_side, ours)),
        await parts.enter_async_context(Driven.running(their_side, theirs)),
    )


async def _growth(found: Findings, peer: Peer, size: Size) -> None:
    """More and more routes, of which one changes."""
    async with AsyncExitStack() as parts:
        ours, theirs = await _pair(parts, peer)
        for routes in size.routes:
            for side in (ours, theirs):
                await side.grow(routes)
            readings = await _alternate(ours, theirs, size)
            found.growth(routes, *readings, ours.memory_mb, theirs.memory_mb)
            if routes == size.busy:
                await _many_changes(found, peer, size, ours, theirs)


async def _many_changes(found: Findings, peer: Peer, size: Size, ours: Driven, theirs: Driven) -> None:
    one_by_one = [await side.one_by_one(size.changes, seconds=size.seconds) for side in (ours, theirs)]
    found.one_by_one(size.busy, *one_by_one)
    count = size.changes if peer.merges else min(size.changes, one_by_one[1].count)
    at_a_pace = [
        await side.at_a_pace(many, per_second=_PER_SECOND) for side, many in ((ours, size.changes), (theirs, count))
    ]
    found.at_a_pace(size.busy, _PER_SECOND, *at_a_pace)


async def _alternate(ours: Driven, theirs: Driven, size: Size) -> tuple[list[float], list[float]]:
    """ms from change to answer, in turns; who begins changes with each round. The first round warms up."""
    readings: tuple[list[float], list[float]] = ([], [])
    start = time.monotonic()
    for number in range(size.rounds + 1):
        elapsed = time.monotonic() - start
        if elapsed > size.seconds and number > (1 if elapsed > _PATIENCE * size.seconds else _LEAST_ROUNDS):
            break
        sides = [(readings[0], ours), (readings[1], theirs)]
        for values, side in sides if number % 2 else reversed(sides):
            milliseconds = await side.change()
            if number:
                values.append(milliseconds)
    return readings


async def _fleet(found: Findings, peer: Peer, size: Size) -> None:
    """Many simulated proxies beside the real one."""
    async with AsyncExitStack() as parts:
        ours, theirs = await _pair(parts, peer)
        for side in (ours, theirs):
            await side.grow(size.busy)
        our_fleet = await parts.enter_async_context(ours.fleet(size.proxies))
        their_fleet = await parts.enter_async_context(theirs.fleet(size.proxies))
        for number in range(min(_FLEET_ROUNDS, size.rounds)):
            for fleet in (our_fleet, their_fleet) if number % 2 else (their_fleet, our_fleet):
                await fleet.change()
        found.fleet(size.busy, size.proxies, our_fleet, their_fleet, ours.memory_mb, theirs.memory_mb)

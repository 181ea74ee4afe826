"""What does compiling cost, whole and after a change?

A Gateway with 3,000 HTTPRoutes, all with policies, in front of 10,000 services of 3 endpoints each, all of them
routed to; and the same at a tenth and three tenths of the size, because cost has to grow with the mesh and no faster.
Each size is measured in a process of its own, so that memory is that of one mesh.

Times are of the processor, which the compiler keeps busy from beginning to end: on a machine with a core to spare they
are those of a clock.

cold: from stored documents to encoded resources in a consistent snapshot, with nothing remembered.
one endpoint, one route: from a committed change to the new snapshot, all else remembered.
memory: of a whole control plane that serves the mesh from its store.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from rich.console import Console

from benchmarks.report import Report, Row, percentile, quartiles
from policy.compiler.compiler import Compiler
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Document, DocumentKey, Endpoint, Item, Service, labels

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

SIZES = (1_000, 3_000, 10_000)
_ENDPOINTS = 3
_SERVICES_PER_ROUTE = 10 / 3
_TARGETS = 10
_COLD_S, _ENDPOINT_MS, _ROUTE_MS, _MEMORY_MB = 6.0, 1.0, 20.0, 250.0
_LINEAR = 1.3
"""How much more a service may cost in the largest mesh than in the smallest."""

GROUP = "default/edge"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one size. Seconds, but for `memory`: bytes of resident memory at its peak."""

    services: int
    routes: int
    resources: int
    cold: list[float]
    endpoint: list[float]
    route: list[float]
    memory: float


async def run(*, console: Console, quick: bool) -> Report:
    """Measures all sizes; `quick` shows only that they can be measured."""
    report = Report("compile")
    sizes = (100, 300) if quick else SIZES
    rounds = 5 if quick else 200
    measured = []
    for size in sizes:
        console.print(f"{size:,} services")
        measured.append(await asyncio.to_thread(_in_process, size, rounds))
    for figures in measured:
        _add(report, figures, last=figures is measured[-1])
    small, large = measured[0], measured[-1]
    growth = (min(large.cold) / large.services) / (min(small.cold) / small.services)
    report.add(
        Row(
            figure=f"cold compile for each service, {large.services:,} beside {small.services:,}",
            unit="times",
            ours=growth,
            spread=(growth, growth),
            bar=f"≤ {_LINEAR:g} times: linear",
            holds=growth <= _LINEAR,
        )
    )
    return report


def _add(report: Report, figures: Figures, *, last: bool) -> None:
    size = f"{figures.services:,} services, {figures.routes:,} routes"
    rows: tuple[tuple[str, str, float, list[float], str, float], ...] = (
        ("cold compile and encode", "s", 0.5, figures.cold, f"≤ {_COLD_S:g} s", _COLD_S),
        (
            "one endpoint changed",
            "ms",
            0.5,
            [s * 1e3 for s in figures.endpoint],
            f"≤ {_ENDPOINT_MS:g} ms",
            _ENDPOINT_MS,
        ),
        ("one route changed", "ms", 0.5, [s * 1e3 for s in figures.route], f"≤ {_ROUTE_MS:g} ms", _ROUTE_MS),
        ("memory of the control plane", "MB", 0.5, [figures.memory / 1e6], f"≤ {_MEMORY_MB:g} MB", _MEMORY_MB),
    )
    for name, unit, share, values, bar, limit in rows:
        value = percentile(values, share)
        report.add(
            Row(
                figure=f"{name}, {size}",
                unit=unit,
                ours=value,
                spread=quartiles(values),
                bar=bar if last else None,
                holds=value <= limit if last else None,
                note=f"{len(values)} rounds" if len(values) > 1 else f"{figures.resources:,} resources",
            )
        )


def _in_process(size: int, rounds: int) -> Figures:
    compiled = alone(measure_compiler, size, rounds)
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        state = Path(folder) / "mesh.db"
        alone(store_mesh, state, size)
        memory = alone(measure_memory, state)
    return Figures(**compiled, memory=memory)


def alone(function: Callable[P, ResultT], *arguments: P.args, **options: P.kwargs) -> ResultT:
    """The result of `function`, which runs in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **options).result()


# --- in a process of its own ---


def measure_compiler(size: int, rounds: int) -> dict[str, Any]:
    """The times of one size."""
    from policy import kinds

    items = list(mesh_items(size))
    cold = []
    for _ in range(3):
        mesh = Mesh().after(Change(None, item) for item in items)
        kinds.FORMS.clear()
        gc.collect()
        start = time.process_time()
        compiler = Compiler()
        snapshot = compiler.compile(mesh)[GROUP]
        cold.append(time.process_time() - start)
    gc.collect()
    gc.freeze()  # as the control plane does once it serves
    endpoint, route = [], []
    for number in range(rounds):
        mesh, seconds = _timed(compiler, mesh, _moved_endpoint(mesh, number % size))
        endpoint.append(seconds)
        mesh, seconds = _timed(compiler, mesh, _changed_route(mesh, number % route_count(size), number))
        route.append(seconds)
    gc.unfreeze()
    return {
        "services": size,
        "routes": route_count(size),
        "resources": len(snapshot),
        "cold": cold,
        "endpoint": endpoint,
        "route": route,
    }


def _timed(compiler: Compiler, mesh: Mesh, change: Change) -> tuple[Mesh, float]:
    after = mesh.after([change], revision=mesh.revision + 1)
    before = compiler.compile(mesh)[GROUP]
    start = time.process_time()
    snapshot = compiler.compile(after)[GROUP]
    seconds = time.process_time() - start
    assert snapshot is not before, "nothing changed"
    return after, seconds


def measure_memory(state: Path) -> float:
    """The peak resident memory, in bytes, of a control plane that starts from the store at `state`."""
    return asyncio.run(_served_memory(state))


def store_mesh(state: Path, size: int) -> None:
    """A store with such a mesh."""

    async def write() -> None:
        from registry.store import Store

        async with await Store.open(state) as store:
            await store.load()
            await store.commit([Change(None, item) for item in mesh_items(size)], author="benchmark", reason="")

    asyncio.run(write())


async def _served_memory(state: Path) -> float:
    from controlplane.app import running
    from controlplane.config import Config

    config = Config(xds_address="127.0.0.1:0", admin_address="127.0.0.1:0", state=state)
    async with running(config):
        return _peak_memory()


def _peak_memory() -> float:
    """Of this program, in bytes. `getrusage` would say no less than what the process had that started this one."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


# --- the mesh ---


def route_count(size: int) -> int:
    return round(size / _SERVICES_PER_ROUTE)


def mesh_items(size: int) -> Iterator[Item]:
    """Services with endpoints, a Gateway, routes to all services, and policies on all routes."""
    for number in range(size):
        yield Service("default", f"service-{number}", 8080)
        for instance in range(_ENDPOINTS):
            yield endpoint(number, instance, weight=1)
    routes = route_count(size)
    yield _document({"kind": "Gateway", "metadata": {"name": "edge"}, "spec": _GATEWAY})
    for number in range(routes):
        yield _document(route_document(number, size))
    for number in range(0, routes, _TARGETS):
        targets = [
            {"kind": "HTTPRoute", "name": f"route-{target}"} for target in range(number, min(number + _TARGETS, routes))
        ]
        spec = {"targetRefs": targets, "attempts": 1 + number % 5, "retryOn": ["gateway-error", "reset"]}
        yield _document(
            {"apiVersion": "apg.mesh/v1", "kind": "RetryPolicy", "metadata": {"name": f"retry-{number}"}, "spec": spec}
        )


def endpoint(service: int, instance: int, *, weight: int) -> Endpoint:
    address = f"10.{service // 250 % 250}.{service % 250}.{instance + 1}"
    version = labels({"version": f"v{1 + instance % 2}", "zone": f"z{instance % 3}"})
    return Endpoint("default", f"service-{service}", address, 8080, version, weight)


def route_document(number: int, size: int, *, seconds: int = 10) -> dict[str, Any]:
    """Hosts are shared by ten routes each; three rules each, to the services that are this route's own."""
    first = number * size // route_count(size)
    own = range(first, max(first + 1, (number + 1) * size // route_count(size)))
    services = [f"service-{min(service, size - 1)}" for service in own]
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": f"/r{number}/{index}"}}],
            "backendRefs": [{"name": name, "weight": 1} for name in services[index :: min(3, len(services))]],
            "timeouts": {"request": f"{seconds}s"},
            "filters": [
                {
                    "type": "RequestHeaderModifier",
                    "requestHeaderModifier": {"set": [{"name": "x-route", "value": f"route-{number}"}]},
                }
            ],
        }
        for index in range(min(3, len(services)))
    ]
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": [f"host-{number // 10}.example.com"], "rules": rules}
    return {"kind": "HTTPRoute", "metadata": {"name": f"route-{number}"}, "spec": spec}


_GATEWAY = {
    "listeners": [{"name": "http", "protocol": "HTTP", "port": 8080}],
    "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
}


def _document(body: dict[str, Any]) -> Document:
    text = json.dumps({"apiVersion": "gateway.networking.k8s.io/v1", **body}).encode()
    [document] = read_documents(text, source="benchmark")
    return document.to_document()


def _moved_endpoint(mesh: Mesh, service: int) -> Change:
    before = mesh.endpoint(endpoint(service, 0, weight=1).key)
    assert before is not None
    return Change(before, endpoint(service, 0, weight=before.weight % 128 + 1))


def _changed_route(mesh: Mesh, number: int, round: int) -> Change:  # noqa: A002  # the loop's word
    key = DocumentKey("HTTPRoute", "default", f"route-{number}")
    before = mesh.documents[key]
    size = len(mesh.services)
    return Change(before, _document(route_document(number, size, seconds=11 + round % 100)))

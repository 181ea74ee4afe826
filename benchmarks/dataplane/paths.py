"""The ways from the client to a backend: each with where it is asked, and the proxies that a request meets on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from benchmarks.dataplane import certificates, documents
from benchmarks.dataplane.documents import CALLER, GUARDED, SERVICES, TLS
from benchmarks.fortio import Fortio, Speaks, Target
from benchmarks.plane import Plane
from benchmarks.processes import Program, client_core, server_core
from controlplane.ports import free_port
from controlplane.proxy import find_envoy

DIRECT, STATIC, GATEWAY, TELEMETRY = "direct", "static", "gateway", "telemetry"
POLICIES, PLAIN, MTLS = "policies", "sidecars", "mtls"
TITLES = {
    DIRECT: "direct",
    STATIC: "static Envoy",
    GATEWAY: "our gateway",
    TELEMETRY: "our gateway, with telemetry",
    POLICIES: "our gateway, ten policies",
    PLAIN: "our sidecars",
    MTLS: "our sidecars, mTLS",
}
"""The ways by name, and what they are called in results. Telemetry is load reports and metrics, as `apg proxy` has them
unless told not to; the static Envoy has none, so the gateway beside it has none either."""

_HERE = Path(__file__).parent
_TRIES, _PAUSE = 100, 0.1  # seconds
_BODY = "0123456789abcdef" * 8


@dataclass(frozen=True, slots=True)
class Way:
    """targets: by what the client speaks. proxies: those that a request of that kind passes, in their order."""

    name: str
    targets: Mapping[Speaks, Target]
    proxies: Mapping[Speaks, Sequence[Program]]


@dataclass(frozen=True, slots=True)
class Ways:
    """All that runs at once. backends: by what is spoken to them."""

    ways: Sequence[Way]
    backends: Mapping[Speaks, Program]
    plane: Plane | None


@dataclass(frozen=True, slots=True)
class _Ports:
    """Of the backends: `web` for HTTP/1.1 and HTTP/2, `rpc` for gRPC."""

    web: int
    rpc: int

    def of(self, speaks: Speaks) -> int:
        return self.rpc if speaks is Speaks.GRPC else self.web


@asynccontextmanager
async def running(folder: Path, fortio: Fortio, names: Sequence[str], spoken: Sequence[Speaks]) -> AsyncIterator[Ways]:
    """The ways `names`, ready for `spoken`, while the context lasts. Proxies have a core of their own, all else, the
    client among it, has the other one."""
    async with AsyncExitStack() as parts:
        ports = _Ports(free_port(), free_port())
        backends = await _backends(parts, folder, fortio, ports)
        found: dict[str, Way] = {DIRECT: _direct(ports)}
        if STATIC in names:
            found[STATIC] = await _static(parts, folder, ports)
        plane = None
        if set(names) - {DIRECT, STATIC}:
            plane = await _plane(parts, folder, names)
            await _ours(parts, plane, ports, names, spoken, found)
        ways = [found[name] for name in names]
        await asyncio.gather(*(_ready(fortio, way, spoken) for way in ways))
        yield Ways(ways, backends, plane)


async def _ready(fortio: Fortio, way: Way, spoken: Sequence[Speaks]) -> None:
    """Returns once requests of each kind are answered on this way, and rightly.

    Raises:
        RuntimeError: they are not.
    """
    for speaks in spoken:
        failure = ""
        for _ in range(_TRIES):
            try:
                tried = await fortio.load(
                    way.targets[speaks], seconds=0.1, connections=1, rate=40.0, core=client_core()
                )
                if tried.requests and not tried.errors:
                    break
                failure = f"{tried.errors} of {tried.requests} answers were wrong"
            except RuntimeError as error:
                failure = str(error)
            await asyncio.sleep(_PAUSE)
        else:
            raise RuntimeError(f"{TITLES[way.name]}, {speaks.value}: {failure}, want answers")


async def _backends(parts: AsyncExitStack, folder: Path, fortio: Fortio, ports: _Ports) -> Mapping[Speaks, Program]:
    web = await _envoy(parts, folder, "backend", port=ports.web, body=_BODY, core=client_core())
    command = fortio.server(http_port=free_port(), grpc_port=ports.rpc)
    rpc = await parts.enter_async_context(Program.running(command, log=folder / "rpc.log", core=client_core()))
    return {Speaks.HTTP1: web, Speaks.HTTP2: web, Speaks.GRPC: rpc}


def _direct(ports: _Ports) -> Way:
    targets = {speaks: Target(f"127.0.0.1:{ports.of(speaks)}", speaks) for speaks in Speaks}
    return Way(DIRECT, targets, dict.fromkeys(Speaks, ()))


async def _static(parts: AsyncExitStack, folder: Path, ports: _Ports) -> Way:
    port = free_port()
    envoy = await _envoy(parts, folder, "static", port=port, web=ports.web, rpc=ports.rpc, core=server_core())
    return _through(STATIC, port, envoy)


def _through(
    name: str, port: int, envoy: Program, *, prefix: str = "", headers: Mapping[str, str] | None = None
) -> Way:
    """The way through one gateway, which tells services apart by host."""
    targets = {
        speaks: Target(f"127.0.0.1:{port}", speaks, host=f"{prefix}{service}.example", headers=headers or {})
        for speaks, service in SERVICES.items()
    }
    return Way(name, targets, dict.fromkeys(Speaks, (envoy,)))


async def _envoy(parts: AsyncExitStack, folder: Path, name: str, *, core: int | None, **values: object) -> Program:
    """An Envoy without a control plane, by the template NAME.yaml beside this file."""
    template = Template((_HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    path = folder / f"{name}.yaml"
    path.write_text(template.substitute(values, admin_port=free_port()), encoding="utf-8")
    command = [str(find_envoy()), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    return await parts.enter_async_context(Program.running(command, log=folder / f"{name}.log", core=core))


async def _plane(parts: AsyncExitStack, folder: Path, names: Sequence[str]) -> Plane:
    place = folder / "certificates"
    place.mkdir()
    if MTLS in names:
        certificates.install(place, [CALLER, *(TLS + service for service in SERVICES.values())])
    return await parts.enter_async_context(Plane.running(folder, certificates=place, core=client_core()))


async def _ours(
    parts: AsyncExitStack,
    plane: Plane,
    ports: _Ports,
    names: Sequence[str],
    spoken: Sequence[Speaks],
    found: dict[str, Way],
) -> None:
    """Registers, applies and starts all that the ways `names` need, and adds them to `found`."""
    core = server_core()
    proxies = 0
    for name, gateway, prefix in ((GATEWAY, "edge", ""), (TELEMETRY, "told", ""), (POLICIES, "guarded", GUARDED)):
        if name not in names:
            continue
        port = free_port()
        services = [prefix + service for service in SERVICES.values()]
        for speaks, service in SERVICES.items():
            await plane.add_service(prefix + service, ports.of(speaks), http2=speaks is not Speaks.HTTP1)
        made = documents.gateway(gateway, port, services)
        headers = {}
        if name == POLICIES:
            made += documents.ten_policies(gateway, services)
            headers = {"x-api-key": documents.KEY}
        await plane.apply(documents.joined(made))
        role = ("--gateway", gateway)
        envoy = await plane.proxy(parts, gateway, *role, core=core, telemetry=name == TELEMETRY)
        found[name] = _through(name, port, envoy, prefix=prefix, headers=headers)
        proxies += 1
    behind = [(PLAIN, "plain-"), (MTLS, TLS)]
    behind = [(name, prefix) for name, prefix in behind if name in names]
    if behind:
        proxies += await _sidecars(parts, plane, ports, behind, spoken, found)
    await plane.in_sync(proxies)


async def _sidecars(
    parts: AsyncExitStack,
    plane: Plane,
    ports: _Ports,
    behind: Sequence[tuple[str, str]],
    spoken: Sequence[Speaks],
    found: dict[str, Way],
) -> int:
    """One caller's sidecar for all, and one for each service that is called. How many there are."""
    outbound = free_port()
    called: dict[tuple[str, Speaks], Program] = {}
    names = [prefix + SERVICES[speaks] for _, prefix in behind for speaks in spoken]
    made = [documents.sidecar(CALLER, inbound=free_port(), application=9, outbound=outbound, calls=names)]
    await plane.add_service(CALLER)
    for _, prefix in behind:
        for speaks in spoken:
            service, inbound = prefix + SERVICES[speaks], free_port()
            await plane.add_service(service, inbound, http2=speaks is not Speaks.HTTP1)
            application = ports.of(speaks)
            unused = free_port()
            made.append(documents.sidecar(service, inbound=inbound, application=application, outbound=unused, calls=()))
        if prefix == TLS:
            made.append(documents.mutual_tls([TLS + SERVICES[speaks] for speaks in spoken]))
    await plane.apply(documents.joined(made))
    caller = await plane.proxy(parts, CALLER, "--sidecar", CALLER, core=server_core())
    for name, prefix in behind:
        for speaks in spoken:
            service = prefix + SERVICES[speaks]
            called[name, speaks] = await plane.proxy(parts, service, "--sidecar", service, core=server_core())
        found[name] = Way(
            name,
            {speaks: Target(f"127.0.0.1:{outbound}", speaks, host=prefix + SERVICES[speaks]) for speaks in spoken},
            {speaks: (caller, called[name, speaks]) for speaks in spoken},
        )
    return 1 + len(called)

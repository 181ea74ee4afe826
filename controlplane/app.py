"""The control plane's process: puts the parts together, serves until told to stop, and takes them apart again."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from aiohttp import web
from grpc.aio import server as grpc_server
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection, reflection_pb2

from console.app import application
from controlplane import credentials
from controlplane.address_lists import FileAddressLists
from controlplane.admin import SERVICE_NAME, AdminServicer
from controlplane.admission.admission import Admission
from controlplane.admission.refusal import Check
from controlplane.auth import BearerToken
from controlplane.certificates import FileIdentities
from controlplane.config import Config
from controlplane.errors import StartError
from controlplane.events import Event, EventBus, Published
from controlplane.membership import of_its_own_group
from controlplane.metrics import Metrics
from controlplane.metrics import application as metrics_application
from controlplane.noticing import Noticing
from controlplane.on_demand import OnDemand
from controlplane.operations import Operations
from controlplane.proxy import find_envoy
from controlplane.questions import Questions
from controlplane.reconciler import Reconciler
from controlplane.reflection import pool
from controlplane.sentences import Sentences
from controlplane.telemetry import Telemetry
from controlplane.transitions import Transitions
from controlplane.view import view
from intelligence.intents.grammar import GrammarParser
from intelligence.intents.parser import Parser
from policy.compiler.compiler import Compiler
from protos.apg.admin.v1 import admin_pb2, admin_pb2_grpc
from registry.mesh import Mesh
from registry.model import Revision
from registry.store import Store
from xds.cache import SnapshotCache
from xds.client_status import CSDS, ClientStatus
from xds.errors import XdsError
from xds.fleet import Accepted, Fleet, FleetEvent, Refused
from xds.flow import Flow
from xds.garbage import collect_rarely
from xds.listening import Transport
from xds.quota_serving import QuotaService
from xds.server import Server

_log = logging.getLogger("apg")

_GRACE = 1.0  # seconds for calls in progress when the process stops
_ADMIN_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),  # documents are bounded at 1 MiB, with an error that says so
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the control plane listens, "HOST:PORT"."""

    xds: str
    admin: str
    console: str | None = None
    metrics: str | None = None


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane."""

    addresses: Addresses
    operations: Operations
    fleet: Fleet
    events: EventBus
    telemetry: Telemetry
    quotas: QuotaService
    noticing: Noticing


async def serve(config: Config, *, ready: Callable[[Addresses], None] | None = None) -> None:
    """Serves until SIGINT or SIGTERM. Calls `ready` once everything listens.

    Raises:
        StoreUnavailableError: the state cannot be opened.
        ProxyError: a real Envoy has to check changes, and there is none.
        StartError: an address cannot be listened on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as control_plane:
        collect_rarely()
        if ready is not None:
            ready(control_plane.addresses)
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[ControlPlane]:
    """A control plane that serves while the context lasts."""
    async with await Store.open(config.state) as store:
        mesh = await store.load()
        identities = FileIdentities(config.certificates) if config.certificates is not None else None
        if identities is not None:
            identities.reload()
        cache, fleet, events = SnapshotCache(), Fleet(), EventBus()
        transitions = Transitions(now=lambda: datetime.now(UTC))
        await transitions.load(mesh.documents.keys(), lambda before, limit: store.revisions(before=before, limit=limit))
        lists = FileAddressLists(config.address_lists) if config.address_lists is not None else None
        if lists is not None:
            lists.reload()
        compiler = Compiler(identities, patches=config.envoy_patches, lists=lists)

        def tell(what: Revision | Published | FleetEvent) -> None:
            if not isinstance(what, Accepted):  # as many as there are proxies times changes, and no news to anybody
                events.tell(Event(datetime.now(UTC), what))

        def published(revision: int, groups: tuple[str, ...]) -> None:
            tell(Published(revision, groups))
            noticing.ring()

        # `servicer` and `operations` are made below.
        noticing = Noticing(
            lambda proxies: servicer.statuses(proxies),  # noqa: PLW0108
            fleet.each,
            lambda: operations.mesh.documents,
        )
        on_demand = OnDemand(
            cache,
            mesh=lambda: reconciler.served,
            changed=lambda: reconciler.publish_again(),  # noqa: PLW0108  # it is made below
            clock=time.monotonic,
            clients=fleet.clients,
        )
        reconciler = Reconciler(
            compiler,
            cache,
            quiet=timedelta(milliseconds=config.debounce_ms),
            ceiling=timedelta(milliseconds=config.debounce_ceiling_ms),
            published=published,
            demand=on_demand.demand,
        )

        def changed(revision: Revision, mesh: Mesh) -> None:
            _log.info("revision=%d author=%s changes=%d", revision.number, revision.author, len(revision.changes))
            tell(revision)
            transitions.on_revision(revision)
            reconciler.offer(mesh)

        check = Check(config.check)
        operations = Operations(
            store,
            mesh,
            compiler=compiler,
            changed=changed,
            admission=Admission(find_envoy() if check is Check.ENVOY else None),
            check=check,
        )
        fleet.listen(tell)
        fleet.listen(_log_fleet_event)
        fleet.listen(on_demand.on_event)
        fleet.listen(lambda _: noticing.ring())
        reconciler.offer(mesh)
        reconciler.publish()  # before the first proxy can ask, or a restart would look like an empty mesh

        telemetry = Telemetry(cache, load_interval=timedelta(seconds=config.load_report_interval))
        quotas = QuotaService(replicas=config.replicas)
        status = ClientStatus(fleet).handler()
        ads = Server(
            cache,
            fleet,
            admit=of_its_own_group if config.xds_client_ca is not None and config.xds_groups == "own" else None,
            demand=on_demand.asked,
            beside=(*telemetry.handlers(), quotas.handler(), *((status,) if config.xds_status else ())),
            transport=Transport(config.xds_transport),
            flow=Flow(
                max_age=timedelta(seconds=config.xds_max_age) if config.xds_max_age else None,
                max_streams=config.xds_max_streams,
                max_streams_per_node=config.xds_max_streams_per_node,
            ),
        )
        talks = Sentences(
            operations,
            parsers=parsers(config),
            questions=Questions(
                operations,
                fleet=fleet.status,
                console=lambda: config.console_address,
                now=lambda: datetime.now(UTC),
            ),
            loads=lambda: telemetry.loads.values,
        )
        servicer = AdminServicer(
            operations,
            cache=cache,
            sentences=talks,
            fleet=fleet,
            events=events,
            published_revision=lambda: reconciler.published_revision,
            transitions=transitions,
        )
        health = health_aio.HealthServicer()
        admin = _admin_server(config, servicer, health)
        admin.add_generic_rpc_handlers((status,))
        console = web.AppRunner(
            application(lambda: view(operations, fleet, published_revision=reconciler.published_revision)),
            access_log=None,
        )
        metrics = web.AppRunner(
            metrics_application(
                Metrics(
                    cache=cache,
                    fleet=fleet,
                    telemetry=telemetry,
                    gate=lambda: ads.gate,
                    revision=lambda: operations.mesh.revision,
                    published_revision=lambda: reconciler.published_revision,
                    on_demand=on_demand,
                ),
                token=config.metrics_token,
            ),
            access_log=None,
        )
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(reconciler.run()), tasks.create_task(noticing.run())]
            if identities is not None:
                loops.append(tasks.create_task(identities.watch(lambda: reconciler.offer(operations.mesh))))
            if lists is not None:
                loops.append(tasks.create_task(lists.watch(lambda: reconciler.offer(operations.mesh))))
            try:
                admin_port = await _start_admin(admin, config)
                xds_port = await _start_xds(ads, config)
                addresses = Addresses(
                    xds=_with_port(config.xds_address, xds_port),
                    admin=_with_port(config.admin_address, admin_port),
                    console=await _start_web(console, "console", config.console_address),
                    metrics=await _start_web(metrics, "metrics", config.metrics_address),
                )
                await health.set(SERVICE_NAME, health_pb2.HealthCheckResponse.SERVING)
                yield ControlPlane(addresses, operations, fleet, events, telemetry, quotas, noticing)
            finally:
                await health.enter_graceful_shutdown()
                await asyncio.gather(ads.stop(grace=_GRACE), admin.stop(_GRACE), console.cleanup(), metrics.cleanup())
                for loop in loops:
                    loop.cancel()


def parsers(config: Config) -> Sequence[Parser]:
    """The intent parsers in the order in which they are asked (docs/decisions/0060)."""
    grammar = GrammarParser()
    if config.ollama_host is None or config.parser == "embedded":
        return (grammar,)
    from intelligence.intents.llm import OllamaParser

    model = OllamaParser(
        host=config.ollama_host,
        model=config.ollama_model,
        policy_model=config.ollama_policy_model,
        embedding_model=config.ollama_embedding_model,
        timeout=config.ollama_timeout,
    )
    return (model, grammar) if config.parser == "ollama" else (grammar, model)


def _admin_server(config: Config, servicer: AdminServicer, health: health_aio.HealthServicer) -> grpc.aio.Server:
    interceptors = [BearerToken(config.admin_token)] if config.admin_token else []
    server = grpc_server(options=list(_ADMIN_OPTIONS), interceptors=interceptors)
    admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    names = (SERVICE_NAME, health_name, reflection.SERVICE_NAME, CSDS)
    described = pool((admin_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR))
    reflection.enable_server_reflection(names, server, pool=described)
    return server


async def _start_admin(server: grpc.aio.Server, config: Config) -> int:
    secure = credentials.admin(config)
    address = config.admin_address
    try:
        port = server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(
            f"admin address {address}: cannot listen there: want a free port of this machine (--admin-address)"
        ) from error
    await server.start()
    return int(port)


async def _start_xds(server: Server, config: Config) -> int:
    try:
        return await server.start(config.xds_address, tls=credentials.xds(config))
    except XdsError as error:
        raise StartError(f"{error} (--xds-address)") from error


async def _start_web(runner: web.AppRunner, name: str, address: str | None) -> str | None:
    """The address where it listens, if it is to."""
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise StartError(
            f"{name} address {address}: cannot listen there: want a free port of this machine (--{name}-address)"
        ) from error
    return _with_port(address, runner.addresses[0][1])


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def _log_fleet_event(event: FleetEvent) -> None:
    if isinstance(event, Refused):
        nacked = event.refusal.nacked
        _log.warning(
            "nack node=%s group=%s type=%s version=%s resources=%s documents=%s reason=%r",
            event.client.node_id,
            event.client.group,
            event.refusal.type.short,
            nacked.version,
            ",".join(nacked.resources),
            ",".join(nacked.origins),
            nacked.reason,
        )

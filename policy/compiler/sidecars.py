"""From a Sidecar to the builders' inputs: inbound to the application, outbound to what its service may call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from policy.authentication_policy import AuthenticationPolicy
from policy.backends import Backend
from policy.compiler.filters import redirect_port
from policy.compiler.http_filters import together, together_of
from policy.compiler.inputs import BoundPort, HttpListener, ReachedBackend, RoutedHost, RoutedRule, StreamListener
from policy.compiler.names import outbound_routes, sidecar_group
from policy.compiler.routing import RoutedPort, Routing
from policy.documents import Documents
from policy.effective import NOTHING, Effective
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPBackendRef, HTTPRoute, HTTPRouteRule, HTTPRouteSpec
from policy.identities import Identity
from policy.on_demand import host_names, may_call
from policy.route import ParentReference
from policy.shapes import Metadata
from policy.sidecar import Dependency, Sidecar
from registry.model import Service, ServiceKey

_LOOPBACK = "127.0.0.1"
_APPLICATION = "@application"  # no service's name has an "@"


def sidecar_ports(
    routing: Routing, documents: Documents, sidecar: Sidecar, asked: Collection[ServiceKey] = ()
) -> Iterator[RoutedPort]:
    """The ports of the proxies of `sidecar`. Each is sent what its service may call, and no more: what is declared, and
    those of the undeclared services that somebody asked for."""
    yield from _inbound(routing, documents, sidecar)
    yield _outbound(routing, documents, sidecar, asked)
    for dependency in sidecar.spec.dependencies:
        if dependency.tcp_port is not None:
            yield _outbound_stream(routing, documents, sidecar, dependency, dependency.tcp_port)


def _inbound(routing: Routing, documents: Documents, sidecar: Sidecar) -> Iterator[RoutedPort]:
    """The port of what comes in. Where strict mutual TLS is asked for and there is no certificate, it stays closed."""
    inbound, group = sidecar.spec.inbound, sidecar_group(sidecar.key)
    key = ServiceKey(*sidecar.key[1:])
    service = routing.mesh.services.get(key) or Service(*key)
    policies = documents.attachments.on_inbound(key)
    application = Backend(ServiceKey(key.namespace, f"{key.name}{_APPLICATION}"), None)
    # The way to the application is local: nothing that callers are asked for belongs on it.
    local = ReachedBackend(application, service.protocol, NOTHING, address=(_LOOPBACK, inbound.application))
    name = f"{group}/inbound"
    ways = _ways_in(routing, policies, Identity(*key))
    if not ways:
        return
    if inbound.protocol == "TCP":
        stream = StreamListener(name, ((application, 1),), policies)
        chains = tuple(replace(stream, certificates=way, clients=way[0] if way else None) for way in ways)
        bound = BoundPort(name, (inbound.address,), inbound.port, chains)
        yield RoutedPort(bound, {}, (str(sidecar.key),), local)
        return
    rule = RoutedRule(_to(key), 0, (application,), policies, implied=True)
    hosts = (RoutedHost("*", (rule,)),)
    http = HttpListener(name, policies, together([rule]))
    served = tuple(replace(http, certificates=way, clients=way[0] if way else None) for way in ways)
    yield RoutedPort(BoundPort(name, (inbound.address,), inbound.port, served), {name: hosts}, (), local)


def _ways_in(routing: Routing, policies: Effective, identity: Identity) -> tuple[tuple[Identity, ...], ...]:
    """With TLS, as `identity`, and a certificate of the caller's, or plain (), or either."""
    policy = policies.one(AuthenticationPolicy)
    if policy is None or policy.spec.mutual_tls is None:
        return ((),)
    with_tls = ((identity,),) if routing.is_known(identity) else ()
    return with_tls if policy.spec.mutual_tls.mode == "Strict" else (*with_tls, ())


def _outbound(routing: Routing, documents: Documents, sidecar: Sidecar, asked: Collection[ServiceKey]) -> RoutedPort:
    outbound, name = sidecar.spec.outbound, outbound_routes(sidecar.key)
    home = sidecar.key.namespace
    declared = [ServiceKey(item.namespace or home, item.name) for item in sidecar.spec.dependencies]
    besides = [service for service in asked if may_call(routing.mesh, documents, sidecar, service)]
    # A name that two have is the first's, so nobody who is asked for takes one from what is declared.
    called = dict.fromkeys((*sorted(declared, key=_first_name), *sorted(besides, key=_first_name)))
    hosts = _without_repetition(_host(routing, documents, sidecar, service) for service in called)
    hosts = tuple(sorted(hosts, key=lambda host: host.hostname))
    http = HttpListener(name, NOTHING, together_of(hosts), on_demand=outbound.undeclared == "OnDemand")
    return RoutedPort(BoundPort(name, (outbound.address,), outbound.port, (http,)), {name: hosts})


def _first_name(service: ServiceKey) -> str:
    return f"{service.name}.{service.namespace}"


def _host(routing: Routing, documents: Documents, sidecar: Sidecar, called: ServiceKey) -> RoutedHost:
    """What calls to `called` meet: the routes that are attached to the service, or else the service itself."""
    home = sidecar.key.namespace
    backend = routing.backend(*called)
    on_demand = sidecar.spec.outbound.undeclared == "OnDemand"
    rules = []
    for route in documents.routes_to(called):
        # Gateway API for meshes (GEP-1324): the service's own routes, and those that its callers have for themselves.
        if isinstance(route, HTTPRoute | GRPCRoute) and route.key.namespace in (called.namespace, home):
            for index, (backends, mirrors) in enumerate(routing.rules(route)):
                policies = documents.attachments.on_call(called, route.key, route.rule_names[index])
                leaves = any(routing.is_external(other) for other in backends)
                # Callers know a service by its name alone, so a redirect that names no port means the scheme's.
                port = redirect_port(route.http_rules[index].filters, scheme="http", port=80)
                rules.append(
                    RoutedRule(
                        route, index, backends, policies, mirrors, leaves, on_demand=on_demand, redirect_port=port
                    )
                )
    if not rules:
        policies = documents.attachments.on_backend(backend)
        leaves = routing.is_external(backend)
        rules.append(
            RoutedRule(_to(called), 0, (backend,), policies, leaves_mesh=leaves, implied=True, on_demand=on_demand)
        )
    first, *aliases = host_names(documents, called, home)
    return RoutedHost(first, tuple(rules), tuple(aliases))


def _outbound_stream(
    routing: Routing, documents: Documents, sidecar: Sidecar, dependency: Dependency, port: int
) -> RoutedPort:
    backend = routing.backend(dependency.namespace or sidecar.key.namespace, dependency.name)
    name = f"{sidecar_group(sidecar.key)}/outbound/{port}"
    stream = StreamListener(name, ((backend, 1),), documents.attachments.on_backend(backend))
    return RoutedPort(BoundPort(name, (sidecar.spec.outbound.address,), port, (stream,)), {}, (str(sidecar.key),))


def _without_repetition(hosts: Iterable[RoutedHost]) -> tuple[RoutedHost, ...]:
    """`hosts`, each name the first one's that has it: Envoy refuses a name twice."""
    taken: set[str] = set()
    kept = []
    for host in hosts:
        own = [name for name in (host.hostname, *host.aliases) if name not in taken]
        taken.update(own)
        if own:
            kept.append(RoutedHost(own[0], host.rules, tuple(own[1:])))
    return tuple(kept)


@lru_cache(maxsize=20_000)
def _to(service: ServiceKey) -> HTTPRoute:
    """The route that a service has for its callers, if nobody wrote one: all requests go to it."""
    return HTTPRoute(
        metadata=Metadata(name=service.name, namespace=service.namespace),
        spec=HTTPRouteSpec(
            parent_refs=(ParentReference(kind="Service", name=service.name),),
            rules=(HTTPRouteRule(backend_refs=(HTTPBackendRef(name=service.name),)),),
        ),
    )

"""From a mesh to the builders' inputs: which rules a port serves under which hostname, and which policies apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policy.attachment import served_hosts
from policy.backends import Backend, standing
from policy.compiler import names
from policy.compiler.http_filters import together
from policy.compiler.inputs import HttpListener, RoutedHost, RoutedRule
from policy.documents import Documents
from policy.gateway import Gateway
from policy.http_route import BackendObjectReference, HTTPRoute
from registry.mesh import Mesh
from registry.model import ServiceKey


def routed_hosts(mesh: Mesh, documents: Documents, gateway: Gateway, port: int) -> Iterator[RoutedHost]:
    """The hostnames that `gateway` serves on `port`, sorted, with their rules."""
    resolved: dict[HTTPRoute, tuple[tuple[tuple[Backend, ...], tuple[Backend, ...]], ...]] = {}
    for host in served_hosts(documents, gateway, port):
        rules = []
        for route in host.routes:
            if route not in resolved:
                resolved[route] = _resolved(mesh, route)
            for index, rule in enumerate(route.spec.rules):
                policies = documents.attachments.on_rule(gateway.key, host.listener.name, route.key, rule.name)
                backends, mirrors = resolved[route][index]
                rules.append(RoutedRule(route, index, backends, policies, mirrors))
        yield RoutedHost(host.hostname, tuple(rules))


def http_listener(documents: Documents, gateway: Gateway, port: int, hosts: Sequence[RoutedHost]) -> HttpListener:
    """The listener of `gateway` on `port`, which serves `hosts`."""
    listeners = [listener.name for listener in gateway.spec.listeners if listener.port == port]
    return HttpListener(
        name=names.listener(gateway.key, port),
        addresses=gateway.addresses,
        port=port,
        policies=documents.attachments.on_listeners(gateway.key, listeners),
        asked=together(rule for host in hosts for rule in host.rules),
    )


def backend(mesh: Mesh, namespace: str, name: str) -> Backend:
    """What a standing document means by a name; a name without a service, which validation refuses, stands for a
    service without endpoints."""
    return standing(mesh, namespace=namespace, name=name) or Backend(ServiceKey(namespace, name), None)


def _resolved(mesh: Mesh, route: HTTPRoute) -> tuple[tuple[tuple[Backend, ...], tuple[Backend, ...]], ...]:
    """Per rule: the backends that it sends requests to, and those that it mirrors them to."""
    home = route.key.namespace

    def named(refs: Iterable[BackendObjectReference]) -> tuple[Backend, ...]:
        return tuple(backend(mesh, ref.namespace or home, ref.name) for ref in refs)

    return tuple(
        (
            named(rule.backend_refs),
            named(item.request_mirror.backend_ref for item in rule.filters if item.request_mirror is not None),
        )
        for rule in route.spec.rules
    )

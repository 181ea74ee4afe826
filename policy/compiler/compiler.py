"""The compiler: a mesh in, one snapshot per group of proxies out.

Compiling is a pure function of the mesh. The `Compiler` only remembers: each resource under the values that it was made
from, so that a changed endpoint makes one load assignment anew and everything else is found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from betterproto2 import Message

from policy.attachment import attached_to
from policy.backends import Backend, standing
from policy.compiler import names
from policy.compiler.clusters import cluster
from policy.compiler.endpoints import load_assignment
from policy.compiler.listeners import listener as envoy_listener
from policy.compiler.routes import AttachedRoute, route_configuration
from policy.gateway import Gateway
from policy.http_route import HTTPRoute
from policy.kinds import gateways
from registry.mesh import Mesh
from registry.model import Service, ServiceKey
from xds.resource import Resource
from xds.snapshot import EMPTY, Snapshot

_GENERATIONS = 3


class Compiler:
    """Compiles mesh after mesh; what they have in common is made once.

    It remembers what the last few compilations used, because the mesh that is served and those that are only planned
    take turns.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._resources: dict[Hashable, tuple[int, Resource]] = {}
        self._snapshots: dict[str, deque[Snapshot]] = {}

    def compile(self, mesh: Mesh) -> Mapping[str, Snapshot]:
        """The snapshot of each Gateway's group. A group whose content is as it was keeps the identical snapshot."""
        self._generation += 1
        snapshots = {}
        for gateway in gateways(mesh):
            group = names.group(gateway.key)
            snapshots[group] = self._snapshot(group, self._gateway(mesh, gateway))
        self._forget()
        return MappingProxyType(snapshots)

    def _snapshot(self, group: str, resources: Iterable[Resource]) -> Snapshot:
        """The group's snapshot, as a change of its last one."""
        recent = self._snapshots.setdefault(group, deque(maxlen=_GENERATIONS))
        last = recent[-1] if recent else EMPTY
        now = {resource.key: resource for resource in resources}
        put = [resource for key, resource in now.items() if last.get(*key) is not resource]
        remove = [
            resource.key for type in last.types for resource in last.resources(type).values() if resource.key not in now
        ]
        snapshot = last.replace(put=put, remove=remove) if put or remove or not recent else last
        for known in recent:
            if known.same_as(snapshot):
                return known
        recent.append(snapshot)
        return snapshot

    def _forget(self) -> None:
        oldest = self._generation - _GENERATIONS
        self._resources = {key: entry for key, entry in self._resources.items() if entry[0] > oldest}

    def _gateway(self, mesh: Mesh, gateway: Gateway) -> Iterator[Resource]:
        backends: set[Backend] = set()
        origin = (str(gateway.key),)
        for port in sorted({listener.port for listener in gateway.spec.listeners}):
            name = names.listener(gateway.key, port)
            routes = tuple(
                AttachedRoute(attachment.route, attachment.hostnames, _backends(mesh, attachment.route))
                for attachment in attached_to(mesh, gateway, port)
            )
            backends.update(backend for route in routes for rule in route.backends for backend in rule)
            yield self._made(
                ("listener", name, gateway.addresses),
                origin,
                partial(envoy_listener, name, addresses=gateway.addresses, port=port),
            )
            yield self._made(
                (
                    "routes",
                    name,
                    tuple((route.route.to_document(), route.hostnames, route.backends) for route in routes),
                ),
                (*origin, *(str(route.route.key) for route in routes)),
                partial(route_configuration, name, routes),
            )
        for backend in sorted(backends, key=str):
            yield from self._backend(mesh, backend)

    def _backend(self, mesh: Mesh, backend: Backend) -> Iterator[Resource]:
        name, service = names.cluster(backend), mesh.services.get(backend.service)
        protocol = (service or Service(*backend.service)).protocol
        instances = tuple(backend.among(mesh.endpoints_of(backend.service)))
        origin = (f"Service {backend.service}",)
        yield self._made(("cluster", name, protocol), origin, partial(cluster, name, protocol))
        yield self._made(("endpoints", name, instances), origin, partial(load_assignment, name, instances))

    def _made(self, key: Hashable, origin: tuple[str, ...], make: Callable[[], Message]) -> Resource:
        known = self._resources.get(key)
        resource = known[1] if known is not None else Resource.of(make(), origin=origin)
        self._resources[key] = (self._generation, resource)
        return resource


def _backends(mesh: Mesh, route: HTTPRoute) -> tuple[tuple[Backend, ...], ...]:
    return tuple(
        tuple(_backend(mesh, ref.namespace or route.key.namespace, ref.name) for ref in rule.backend_refs)
        for rule in route.spec.rules
    )


def _backend(mesh: Mesh, namespace: str, name: str) -> Backend:
    """What a standing document means by a name; a name without a service, which validation refuses, stands for a
    service without endpoints."""
    return standing(mesh, namespace=namespace, name=name) or Backend(ServiceKey(namespace, name), None)

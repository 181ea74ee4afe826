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

from policy.backends import Backend
from policy.compiler import names, routing
from policy.compiler.clusters import cluster
from policy.compiler.endpoints import load_assignment
from policy.compiler.external import external_cluster
from policy.compiler.http_filters import needs
from policy.compiler.inputs import ExternalHost, ReachedBackend, RoutedRule
from policy.compiler.listeners import listener as envoy_listener
from policy.compiler.load_balancing import locality_weights
from policy.compiler.routes import route_configuration
from policy.documents import Documents
from policy.gateway import Gateway
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
        documents = Documents.of(mesh)
        snapshots = {}
        for gateway in documents.all(Gateway):
            group = names.group(gateway.key)
            snapshots[group] = self._snapshot(group, self._gateway(mesh, documents, gateway))
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

    def _gateway(self, mesh: Mesh, documents: Documents, gateway: Gateway) -> Iterator[Resource]:
        backends: set[Backend] = set()
        external: set[ExternalHost] = set()
        for port in sorted({listener.port for listener in gateway.spec.listeners}):
            hosts = tuple(routing.routed_hosts(mesh, documents, gateway, port))
            listener = routing.http_listener(documents, gateway, port, hosts)
            rules = {rule: None for host in hosts for rule in host.rules}
            backends.update(backend for rule in rules for backend in rule.backends)
            for need in needs(listener.asked):
                match need:
                    case ExternalHost():
                        external.add(need)
                    case ServiceKey():
                        backends.add(routing.backend(mesh, *need))
            yield self._made(
                listener, (str(gateway.key), *listener.policies.origins), partial(envoy_listener, listener)
            )
            yield self._made(
                ("routes", listener.name, hosts),
                _distinct(str(gateway.key), *_origins(rules)),
                partial(route_configuration, listener.name, hosts),
            )
        for backend in sorted(backends, key=str):
            yield from self._backend(mesh, documents, backend)
        for host in sorted(external, key=lambda host: host.name):
            yield self._made(host, (str(gateway.key),), partial(external_cluster, host))

    def _backend(self, mesh: Mesh, documents: Documents, backend: Backend) -> Iterator[Resource]:
        service = mesh.services.get(backend.service) or Service(*backend.service)
        reached = ReachedBackend(backend, service.protocol, documents.attachments.on_backend(backend))
        instances = tuple(backend.among(mesh.endpoints_of(backend.service)))
        origin = f"Service {backend.service}"
        yield self._made(reached, (origin, *reached.policies.origins), partial(cluster, reached))
        weights = locality_weights(reached.policies)
        yield self._made(
            ("endpoints", reached.name, instances, weights),
            (origin, *reached.policies.origins) if weights else (origin,),
            partial(load_assignment, reached.name, instances, weights),
        )

    def _made(self, key: Hashable, origin: tuple[str, ...], make: Callable[[], Message]) -> Resource:
        known = self._resources.get(key)
        resource = known[1] if known is not None else Resource.of(make(), origin=origin)
        self._resources[key] = (self._generation, resource)
        return resource


def _origins(rules: Iterable[RoutedRule]) -> Iterator[str]:
    for rule in rules:
        yield str(rule.route.key)
        yield from rule.policies.origins


def _distinct(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

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
from policy.compiler import names
from policy.compiler.clusters import cluster, external_cluster
from policy.compiler.endpoints import load_assignment
from policy.compiler.features import LISTENER_NEEDS
from policy.compiler.http_filters import needs
from policy.compiler.inputs import ExternalHost, HttpListener, ReachedBackend, RoutedRule, StreamListener
from policy.compiler.listeners import listener as envoy_listener
from policy.compiler.load_balancing import locality_weights
from policy.compiler.routes import route_configuration
from policy.compiler.routing import RoutedPort, Routing
from policy.compiler.sidecars import sidecar_ports
from policy.compiler.tls import certificate_secret, trust_secret
from policy.documents import Documents
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway
from policy.identities import Identities, Identity, NoIdentities, secret_of
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey
from xds.resource import Resource
from xds.resource_types import SECRET
from xds.snapshot import EMPTY, Snapshot

_GENERATIONS = 3


class Compiler:
    """Compiles mesh after mesh; what they have in common is made once.

    It remembers what the last few compilations used, because the mesh that is served and those that are only planned
    take turns.
    """

    def __init__(self, identities: Identities | None = None) -> None:
        """identities: where certificates come from; without, listeners that need any are left out."""
        self._identities = identities if identities is not None else NoIdentities()
        self._generation = 0
        self._resources: dict[Hashable, tuple[int, Resource]] = {}
        self._snapshots: dict[str, deque[Snapshot]] = {}

    @property
    def identities(self) -> Identities:
        return self._identities

    def compile(self, mesh: Mesh) -> Mapping[str, Snapshot]:
        """The snapshot of each group: of a Gateway's proxies, or of a service's sidecars. A group whose content is as
        it was keeps the identical snapshot."""
        self._generation += 1
        documents = Documents.of(mesh)
        mesh = with_external(mesh, documents.all(ExternalService))
        routing = Routing(mesh, documents, self._identities)
        snapshots = {}
        for gateway in documents.all(Gateway):
            group = names.group(gateway.key)
            snapshots[group] = self._snapshot(group, self._group(routing, gateway.key, routing.ports(gateway)))
        for sidecar in documents.all(Sidecar):
            group = names.sidecar_group(sidecar.key)
            ports = sidecar_ports(routing, documents, sidecar)
            snapshots[group] = self._snapshot(group, self._group(routing, sidecar.key, ports))
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

    def _group(self, routing: Routing, key: DocumentKey, ports: Iterable[RoutedPort]) -> Iterator[Resource]:
        """The resources of the proxies that listen on `ports`; `key` is the document that says so, and whose namespace
        and name are their identity."""
        origin, caller = str(key), Identity(key.namespace, key.name)
        backends: set[Backend] = set()
        external: set[ExternalHost] = set()
        local: dict[Backend, ReachedBackend] = {}
        made: list[Resource] = []
        for port in ports:
            if port.local is not None:
                local[port.local.backend] = port.local
            policies = (word for chain in port.bound.chains for word in chain.policies.origins)
            made.append(
                self._made(port.bound, _distinct(origin, *port.streams, *policies), partial(envoy_listener, port.bound))
            )
            for name, hosts in port.hosts.items():
                rules = {rule: None for host in hosts for rule in host.rules}
                backends.update(backend for rule in rules for backend in (*rule.backends, *rule.mirrors))
                made.append(
                    self._made(
                        ("routes", name, hosts),
                        _distinct(origin, *_origins(rules)),
                        partial(route_configuration, name, hosts),
                    )
                )
            for chain in port.bound.chains:
                match chain:
                    case StreamListener():
                        backends.update(backend for backend, weight in chain.targets if weight)
                    case HttpListener():
                        for need in (*needs(chain.asked), *(need for step in LISTENER_NEEDS for need in step(chain))):
                            match need:
                                case ExternalHost():
                                    external.add(need)
                                case ServiceKey():
                                    backends.add(routing.backend(*need))
        for backend in sorted(backends - local.keys(), key=str):
            made.extend(self._backend(routing, backend, caller))
        made.extend(self._made(reached, (origin,), partial(cluster, reached)) for _, reached in sorted(local.items()))
        made.extend(
            self._made(host, (origin,), partial(external_cluster, host))
            for host in sorted(external, key=lambda host: host.name)
        )
        yield from made
        yield from self._secrets(made)

    def _backend(self, routing: Routing, backend: Backend, caller: Identity) -> Iterator[Resource]:
        reached, origins = routing.reached(backend, caller=caller)
        yield self._made(reached, origins, partial(cluster, reached))
        if reached.address is None and reached.trusted:
            instances = tuple(backend.among(routing.mesh.endpoints_of(backend.service)))
            weights = locality_weights(reached.policies)
            yield self._made(
                ("endpoints", reached.name, instances, weights),
                origins if weights else origins[:1],
                partial(load_assignment, reached.name, instances, weights),
            )

    def _secrets(self, users: Iterable[Resource]) -> Iterator[Resource]:
        """The secrets that `users` refer to."""
        wanted: dict[str, list[str]] = {}
        for resource in users:
            for key in resource.references:
                if key.type is SECRET:
                    wanted.setdefault(key.name, []).extend(resource.origin)
        for name, origins in sorted(wanted.items()):
            identity, is_trust = secret_of(name)
            if is_trust:
                trust = self._identities.trust(identity)
                assert trust is not None, f"{name}: whoever refers to it asked before"
                yield self._made((name, trust), _distinct(*origins), partial(trust_secret, name, trust))
            else:
                certificate = self._identities.certificate(identity)
                assert certificate is not None, f"{name}: whoever refers to it asked before"
                yield self._made(
                    (name, certificate), _distinct(*origins), partial(certificate_secret, name, certificate)
                )

    def _made(self, key: Hashable, origin: tuple[str, ...], make: Callable[[], Message]) -> Resource:
        known = self._resources.get(key)
        resource = known[1] if known is not None else Resource.of(make(), origin=origin)
        self._resources[key] = (self._generation, resource)
        return resource


def _origins(rules: Iterable[RoutedRule]) -> Iterator[str]:
    for rule in rules:
        yield rule.origin
        yield from rule.policies.origins


def _distinct(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

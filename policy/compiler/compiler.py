"""The compiler: a mesh in, one snapshot per group of proxies out.

Compiling is a pure function of the mesh: whatever a compiler compiled before, the snapshot has the same content. What
it remembers saves work: resources by the values that they were made from, and, from the last mesh, the hosts of each
route configuration and the parts of each group, of which only those are looked at that the change can reach
(`policy.reach`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from betterproto2 import Message

from policy.address_lists import AddressLists, Filling, NoAddressLists
from policy.backends import Backend
from policy.compiler import names
from policy.compiler.clusters import cluster, external_cluster
from policy.compiler.endpoints import load_assignment
from policy.compiler.features import LISTENER_NEEDS
from policy.compiler.groups import Group
from policy.compiler.hosts import HostTable
from policy.compiler.http_filters import needs
from policy.compiler.inputs import ExternalHost, HttpListener, ReachedBackend, RoutedHost, StreamListener
from policy.compiler.listeners import listener as envoy_listener
from policy.compiler.load_balancing import locality_weights
from policy.compiler.patches import patched, patches_of
from policy.compiler.routes import encoded_routes
from policy.compiler.routing import RoutedPort, Routing
from policy.compiler.sidecars import sidecar_ports
from policy.compiler.tls import certificate_secret, trust_secret
from policy.documents import Documents
from policy.envoy_patch import EnvoyPatch
from policy.external_service import ExternalService, with_external
from policy.gateway import Gateway
from policy.identities import CertificateChain, Identities, Identity, NoIdentities, TrustBundle, secret_of
from policy.reach import Reach, reach
from policy.route import Route
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey
from xds.resource import Resource
from xds.snapshot import Snapshot

Demand: TypeAlias = Mapping[DocumentKey, frozenset[ServiceKey]]
"""The undeclared services that are asked for, by Sidecar."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the cyclic garbage collector, which would walk a whole mesh over and over while it is made; nothing of
    it is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Asked:
    """Identities that remember what they answered, to find out whether they would answer the same again."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._certificates: dict[Identity, CertificateChain | None] = {}
        self._trust: dict[Identity, TrustBundle | None] = {}

    def certificate(self, identity: Identity) -> CertificateChain | None:
        answer = self._certificates[identity] = self._identities.certificate(identity)
        return answer

    def trust(self, identity: Identity) -> TrustBundle | None:
        answer = self._trust[identity] = self._identities.trust(identity)
        return answer

    def would_answer_the_same(self) -> bool:
        return all(self._identities.certificate(of) == answer for of, answer in self._certificates.items()) and all(
            self._identities.trust(of) == answer for of, answer in self._trust.items()
        )


@dataclass(slots=True)
class _Last:
    """The mesh that was compiled last, and what is kept of it."""

    mesh: Mesh
    documents: Documents
    asked: _Asked
    demand: Demand
    tables: dict[str, HostTable] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    routes: dict[str, tuple[tuple[RoutedHost, ...], Resource]] = field(default_factory=dict)


class Compiler:
    """Compiles mesh after mesh; what they have in common is made once."""

    def __init__(
        self, identities: Identities | None = None, *, patches: bool = False, lists: AddressLists | None = None
    ) -> None:
        """identities: where certificates come from; without, listeners that need any are left out. lists: what is on
        the lists of addresses that rules name; without, nobody is. patches: whether
        EnvoyPatches have an effect."""
        self._patches = patches
        self._lists = lists if lists is not None else NoAddressLists()
        self._filling = Filling(self._lists)
        self._identities = identities if identities is not None else NoIdentities()
        self._resources: WeakValueDictionary[Hashable, Resource] = WeakValueDictionary()
        self._patched_snapshots: WeakKeyDictionary[Snapshot, dict[tuple[EnvoyPatch, ...], Snapshot]] = (
            WeakKeyDictionary()
        )
        self._last: _Last | None = None
        self._demand: Demand = MappingProxyType({})

    @property
    def demand(self) -> Demand:
        """The undeclared services that the applications beside each Sidecar asked for. The next mesh is compiled with
        these: what it compiles to depends on both."""
        return self._demand

    @demand.setter
    def demand(self, demand: Demand) -> None:
        self._demand = MappingProxyType(dict(demand))

    @property
    def patches(self) -> bool:
        return self._patches

    @property
    def identities(self) -> Identities:
        return self._identities

    @property
    def lists(self) -> AddressLists:
        return self._lists

    def compile(self, mesh: Mesh) -> Mapping[str, Snapshot]:
        """The snapshot of each group: of a Gateway's proxies, or of a service's sidecars. A group whose content is as
        it was keeps the identical snapshot."""
        mesh = self._filling.filled(mesh)
        documents = Documents.of(mesh)
        found = self._reach(mesh, documents)
        with undisturbed() if found is None else nullcontext():
            return MappingProxyType(self._compile(mesh, documents, found))

    def _compile(self, mesh: Mesh, documents: Documents, found: Reach | None) -> Mapping[str, Snapshot]:
        last = self._last
        self._last = None  # if this fails half-way, nothing of it is built upon
        now = _Last(mesh, documents, _Asked(self._identities), self._demand)
        if last is not None:
            now.groups = last.groups
            if found is not None:
                now.asked, now.tables, now.routes = last.asked, last.tables, last.routes
        changed = None if found is None else found.routes
        with_outside = with_external(mesh, documents.all(ExternalService))
        routing = Routing(with_outside, documents, now.asked, tables=now.tables, changed=changed)
        called = _called(found, (last.documents, documents) if last is not None else ())
        snapshots = {}
        for gateway in documents.all(Gateway):
            name = names.group(gateway.key)
            is_same = name in now.groups and found is not None and not found.routes
            ports = None if is_same else routing.ports(gateway)
            made = self._group(now, routing, name, gateway.key, ports, found)
            snapshots[name] = self._patched(documents, name, made)
        for sidecar in documents.all(Sidecar):
            name = names.sidecar_group(sidecar.key)
            asked = self._demand.get(sidecar.key, frozenset())
            is_same = name in now.groups and found is not None and not _reaches(found, called, sidecar, asked)
            ports = None if is_same else sidecar_ports(routing, documents, sidecar, asked)
            made = self._group(now, routing, name, sidecar.key, ports, found)
            snapshots[name] = self._patched(documents, name, made)
        for name in now.groups.keys() - snapshots.keys():
            del now.groups[name]
        self._last = now
        return snapshots

    def _reach(self, mesh: Mesh, documents: Documents) -> Reach | None:
        """What to look at anew; None for all."""
        last = self._last
        if last is None or not last.asked.would_answer_the_same():
            return None
        changed = mesh.changed_since(last.mesh)
        if changed is None:
            return None
        found = reach(last.mesh, mesh, changed, before_documents=last.documents, documents=documents)
        if found is not None and last.demand is not self._demand:
            keys = last.demand.keys() | self._demand.keys()
            found.sidecars.update(key for key in keys if last.demand.get(key) != self._demand.get(key))
        return found

    def _patched(self, documents: Documents, group: str, made: Snapshot) -> Snapshot:
        """The group's snapshot with its EnvoyPatches merged in. The same of the same is the identical one."""
        patches = patches_of(documents, group) if self._patches else ()
        if not patches:
            return made
        known = self._patched_snapshots.setdefault(made, {})
        if patches not in known:
            resources = [resource for type in made.types for resource in made.resources(type).values()]
            after = patched(resources, patches, self._remembered_patch)
            known.clear()  # those of other patches are gone for good, as a rule
            known[patches] = made.replace(put=[each for each in after if made.get(*each.key) is not each])
        return known[patches]

    def _remembered_patch(
        self, resource: Resource, patches: tuple[EnvoyPatch, ...], make: Callable[[], Message]
    ) -> Resource:
        origin = _distinct(*resource.origin, *(str(patch.key) for patch in patches))
        return self._made(("patched", resource.key, resource.version, patches), origin, make)

    def _group(
        self,
        now: _Last,
        routing: Routing,
        name: str,
        key: DocumentKey,
        ports: Iterable[RoutedPort] | None,
        found: Reach | None,
    ) -> Snapshot:
        """The snapshot of the proxies that listen on `ports` (None: as they did); `key` is the document that says so,
        and whose namespace and name are their identity."""
        caller = Identity(key.namespace, key.name)
        group = now.groups.setdefault(name, Group())
        if ports is None:
            assert found is not None
            for backend in list(group.backends_of(found.services)):
                group.put_backend(backend, self._backend(routing, backend, caller))
        else:
            wanted, parts = self._ports(now, routing, group, str(key), ports)
            for backend in group.backends - wanted:
                group.drop_backend(backend)
            dirty = wanted if found is None else {*(wanted - group.backends), *group.backends_of(found.services)}
            for backend in sorted(dirty, key=str):
                group.put_backend(backend, self._backend(routing, backend, caller))
            group.keep_only(parts)
        wanted_secrets = group.wanted_secrets()
        group.put_secrets(
            {secret: self._secret(now.asked, secret, origins) for secret, origins in wanted_secrets.items()}
        )
        return group.snapshot()

    def _ports(
        self, now: _Last, routing: Routing, group: Group, origin: str, ports: Iterable[RoutedPort]
    ) -> tuple[set[Backend], set[Hashable]]:
        """Puts what `ports` need into `group`, but for the backends and secrets. Returns the backends, and the parts
        that it put."""
        backends: set[Backend] = set()
        external: set[ExternalHost] = set()
        local: dict[Backend, ReachedBackend] = {}
        parts: set[Hashable] = set()

        def put(part: Hashable, resource: Resource) -> None:
            parts.add(part)
            group.put(part, [resource])

        for port in ports:
            if port.local is not None:
                local[port.local.backend] = port.local
            policies = (word for chain in port.bound.chains for word in chain.policies.origins)
            origins = _distinct(origin, *port.streams, *policies)
            put(
                ("listener", port.bound.name),
                self._made(port.bound, origins, partial(envoy_listener, port.bound)),
            )
            for name, hosts in port.hosts.items():
                backends.update(*(host.backends for host in hosts))
                on_demand = any(isinstance(chain, HttpListener) and chain.on_demand for chain in port.bound.chains)
                put(("routes", name), self._routes(now, name, hosts, origin, on_demand=on_demand))
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
        for backend, reached in local.items():
            put(("local", backend), self._made(reached, (origin,), partial(cluster, reached)))
        for host in external:
            put(host, self._made(host, (origin,), partial(external_cluster, host)))
        return backends - local.keys(), parts

    def _routes(
        self, now: _Last, name: str, hosts: tuple[RoutedHost, ...], origin: str, *, on_demand: bool
    ) -> Resource:
        known = now.routes.get(name)
        # Of a sidecar, whose hosts may come on demand, they are never the identical ones.
        if known is not None and known[0] is hosts:
            return known[1]
        if known is not None and _same_documents(known[0], hosts):
            origins = known[1].origin
        else:
            origins = _distinct(origin, *(word for host in hosts for word in host.origins))
        made = encoded_routes(name, hosts, on_demand=on_demand, origin=origins)
        # The same content is the same resource, so that what was compiled lately is found to be known.
        resource = self._resources.setdefault(("routes", name, made.version, origins), made)
        now.routes[name] = (hosts, resource)
        return resource

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

    def _secret(self, asked: _Asked, name: str, origins: tuple[str, ...]) -> Resource:
        identity, is_trust = secret_of(name)
        if is_trust:
            trust = asked.trust(identity)
            assert trust is not None, f"{name}: whoever refers to it asked before"
            return self._made((name, trust), origins, partial(trust_secret, name, trust))
        certificate = asked.certificate(identity)
        assert certificate is not None, f"{name}: whoever refers to it asked before"
        return self._made((name, certificate), origins, partial(certificate_secret, name, certificate))

    def _made(self, key: Hashable, origin: tuple[str, ...], make: Callable[[], Message]) -> Resource:
        known = self._resources.get((key, origin))
        if known is None:
            known = self._resources[key, origin] = Resource.of(make(), origin=origin)
        return known


def _called(found: Reach | None, both: Iterable[Documents]) -> set[ServiceKey]:
    """The services whose callers follow a route that `found` names."""
    services: set[ServiceKey] = set()
    for documents in both:
        for key in found.routes if found is not None else ():
            route = documents.find(key)
            if isinstance(route, Route):
                home = route.key.namespace
                services.update(
                    ServiceKey(ref.namespace or home, ref.name)
                    for ref in route.spec.parent_refs
                    if ref.kind == "Service"
                )
    return services


def _reaches(found: Reach, called: set[ServiceKey], sidecar: Sidecar, asked: Iterable[ServiceKey]) -> bool:
    """Whether a sidecar's ports may be others: its document, its service or one that it calls is among `found`."""
    home = sidecar.key.namespace
    if sidecar.key in found.sidecars or ServiceKey(*sidecar.key[1:]) in found.services:
        return True
    declared = (ServiceKey(item.namespace or home, item.name) for item in sidecar.spec.dependencies)
    for dependency in (*declared, *asked):
        if dependency in called:
            return True
        for service in found.services:
            if dependency.namespace == service.namespace and f"{dependency.name}-".startswith(f"{service.name}-"):
                return True
    return False


def _same_documents(before: tuple[RoutedHost, ...], after: tuple[RoutedHost, ...]) -> bool:
    """Whether all hosts come from the documents, in the order, that they came from before."""
    return len(before) == len(after) and all(
        one is other or one.origins == other.origins for one, other in zip(before, after, strict=True)
    )


def _distinct(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

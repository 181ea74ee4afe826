"""What applications call though their sidecars do not declare it: who asked for what, within bounds.

Kept in memory: a proxy that meets another control plane, or this one after a restart, says again what it asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from policy.compiler import names
from policy.documents import Documents
from policy.on_demand import named
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, EndpointKey, ServiceKey
from xds.cache import SnapshotCache
from xds.fleet import Client, Disconnected, FleetEvent
from xds.resource_types import CLUSTER, VIRTUAL_HOST, ResourceType

_log = logging.getLogger("apg.on_demand")

MAX_SERVICES = 256
"""Undeclared services of one sidecar: as many as it may declare."""
MAX_HOSTS = 1_024
"""Hosts of one sidecar that meant nothing when they were asked for; the oldest is forgotten first."""
MAX_HOST_LENGTH = 260
"""Of a name that DNS could have, with a port."""
IDLE_SECONDS = 600.0
"""How long all this is kept for a sidecar without a connected proxy."""


@dataclass(slots=True)
class _Asked:
    """services: found. hosts: not found (yet), from the oldest on: a proxy asks once, so what comes to exist later is
    sent without being asked for. idle_since: when the last proxy went, in seconds of `clock`."""

    services: frozenset[ServiceKey] = frozenset()
    hosts: dict[str, None] = field(default_factory=dict)
    idle_since: float | None = None
    is_full: bool = False


class OnDemand:
    """The undeclared services that the proxies of each Sidecar asked for, all proxies of a Sidecar together: what one
    of them was sent, all are. An entry ends when the sidecar had no proxy for `IDLE_SECONDS`, or with its document.

    cache: what is published, mesh: of what. clock: seconds, monotonic.
    changed: is told of a new entry; what it publishes is what the proxy that asked is answered with.
    """

    def __init__(
        self,
        cache: SnapshotCache,
        *,
        mesh: Callable[[], Mesh | None],
        changed: Callable[[], None],
        clock: Callable[[], float],
        clients: Callable[[], Collection[Client]],
    ) -> None:
        self._cache = cache
        self._mesh = mesh
        self._changed = changed
        self._clock = clock
        self._clients = clients
        self._asked: dict[DocumentKey, _Asked] = {}
        self._looked: Mesh | None = None  # where hosts were looked up last

    def asked(self, client: Client, type: ResourceType, resources: Collection[str]) -> None:
        """A proxy asks for virtual hosts by name, or says which clusters it has (`xds.server.Server`, demand)."""
        key, mesh = _sidecar_of(client.group), self._mesh()
        if key is None or mesh is None or key not in mesh.documents:
            return
        hosts = [host for host in self._hosts(key, type, resources) if len(host) <= MAX_HOST_LENGTH]
        if hosts:
            entry = self._asked.setdefault(key, _Asked())
            if self._look_up(mesh, key, entry, hosts, keep=type is VIRTUAL_HOST):
                self._changed()

    def on_event(self, event: FleetEvent) -> None:
        """Notes when the last proxy of a sidecar goes."""
        if isinstance(event, Disconnected) and (key := _sidecar_of(event.client.group)) in self._asked:
            self._asked[key].idle_since = self._clock()

    def demand(self, mesh: Mesh) -> Mapping[DocumentKey, frozenset[ServiceKey]]:
        """What to compile `mesh` with. Finds what was asked for before it existed, and lets go of what nobody is left
        to ask for."""
        if not self._asked:
            self._looked = mesh
            return {}
        self._let_go(mesh)
        changed = mesh.changed_since(self._looked) if self._looked is not None else None
        self._looked = mesh
        for key, entry in self._asked.items():
            if entry.hosts and (changed is None or _may_name(changed, entry.hosts)):
                self._look_up(mesh, key, entry, list(entry.hosts), keep=True)
        return {key: entry.services for key, entry in self._asked.items() if entry.services}

    def _let_go(self, mesh: Mesh) -> None:
        """Ends the entries of sidecars that are left: by their proxies for long enough, or by their document."""
        left = [key for key, entry in self._asked.items() if entry.idle_since is not None or key not in mesh.documents]
        if not left:
            return  # as a rule, and then nobody looks through all that are connected
        connected, now = {client.group for client in self._clients()}, self._clock()
        for key in left:
            since = self._asked[key].idle_since
            if names.sidecar_group(key) in connected:
                self._asked[key].idle_since = None
            elif key not in mesh.documents or (since is not None and now - since > IDLE_SECONDS):
                del self._asked[key]

    @property
    def services(self) -> int:
        """Undeclared services that are sent, of all sidecars together."""
        return sum(len(entry.services) for entry in self._asked.values())

    @property
    def full(self) -> int:
        """Sidecars that asked for more than they are sent."""
        return sum(entry.is_full for entry in self._asked.values())

    def _look_up(self, mesh: Mesh, key: DocumentKey, entry: _Asked, hosts: Collection[str], *, keep: bool) -> bool:
        """Whether a service more is to be sent. keep: whether hosts that mean none are remembered."""
        documents = Documents.of(mesh)
        sidecar = documents.get(Sidecar, key.namespace, key.name)
        if sidecar is None:
            return False
        declared = {ServiceKey(item.namespace or key.namespace, item.name) for item in sidecar.spec.dependencies}
        before = entry.services
        for host in hosts:
            service = named(mesh, documents, sidecar, host)
            if service is None:
                if keep:
                    _remember(entry.hosts, host)
                continue
            entry.hosts.pop(host, None)
            if service in declared or service in entry.services:
                continue
            if len(entry.services) < MAX_SERVICES:
                entry.services |= {service}
            elif not entry.is_full:
                entry.is_full = True
                said = "sidecar=%s/%s service=%s is not sent: %d are on demand already, want some of them declared"
                _log.warning(said, *key[1:], service, MAX_SERVICES)
        found = sorted(entry.services - before)
        if found:
            _log.info("sidecar=%s/%s on demand: %s", *key[1:], ", ".join(map(str, found)))
        return bool(found)

    def _hosts(self, sidecar: DocumentKey, type: ResourceType, resources: Collection[str]) -> Iterator[str]:
        """The hosts that a proxy asks for, and those that lead to what it has and would lose."""
        if type is VIRTUAL_HOST:
            prefix = f"{names.outbound_routes(sidecar)}/"
            yield from (name.removeprefix(prefix) for name in resources if name.startswith(prefix))
        elif type is CLUSTER:
            served = self._cache.get(names.sidecar_group(sidecar))
            known = served.resources(CLUSTER) if served is not None else {}
            for name in resources:  # "NAMESPACE/NAME" (`names.cluster`); a version's leads to the version
                namespace, slash, service = name.partition("/")
                if name not in known and slash and "/" not in service:
                    yield f"{service}.{namespace}"


def _remember(hosts: dict[str, None], host: str) -> None:
    if host not in hosts:
        if len(hosts) >= MAX_HOSTS:
            del hosts[next(iter(hosts))]
        hosts[host] = None


def _may_name(changed: Collection[object], hosts: Collection[str]) -> bool:
    """Whether a host may mean something now: endpoints, which come and go, make versions of their service at most."""
    if any(not isinstance(key, EndpointKey) for key in changed):
        return True
    owners = {f"{key.service}-" for key in changed if isinstance(key, EndpointKey)}
    return any(host.startswith(owner) for host in hosts for owner in owners)


def _sidecar_of(group: str) -> DocumentKey | None:
    """The Sidecar whose proxies are the group."""
    parts = group.split("/")
    if len(parts) != 3 or names.sidecar_group(key := DocumentKey(Sidecar.KIND, parts[1], parts[2])) != group:
        return None
    return key

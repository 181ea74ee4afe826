"""The resources of one group of proxies, kept from mesh to mesh, part by part, so that a snapshot is made as a change
of the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Set
from typing import TypeVar

from policy.backends import Backend
from registry.model import ServiceKey
from xds.resource import Resource
from xds.resource_types import SECRET, ResourceKey
from xds.snapshot import EMPTY, Snapshot

PartT = TypeVar("PartT", bound=Hashable)

_KNOWN_SNAPSHOTS = 3


class Group:
    """What a group is served. A part is whatever makes some resources at once: a port, a backend, a secret."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, tuple[Resource, ...]] = {}  # but for backends and secrets
        self._secrets: dict[str, tuple[Resource, ...]] = {}
        self._by_backend: dict[Backend, tuple[Resource, ...]] = {}
        self._backends: dict[ServiceKey, tuple[Backend, ...]] = {}  # few of each: a set would be larger
        self._secret_users: dict[ResourceKey, Resource] = {}
        self._put: dict[ResourceKey, Resource] = {}
        self._removed: dict[ResourceKey, None] = {}
        self._snapshot = EMPTY
        self._recent: deque[Snapshot] = deque(maxlen=_KNOWN_SNAPSHOTS)

    def backends_of(self, services: Iterable[ServiceKey]) -> Iterator[Backend]:
        """Those of its backends that are one of `services`, or a version of one."""
        for service in services:
            yield from self._backends.get(service, ())

    @property
    def backends(self) -> Set[Backend]:
        return self._by_backend.keys()

    def put_backend(self, backend: Backend, resources: Iterable[Resource]) -> None:
        """The backend's resources from now on."""
        siblings = self._backends.get(backend.service, ())
        if backend not in siblings:
            self._backends[backend.service] = (*siblings, backend)
        self._put_in(self._by_backend, backend, tuple(resources))

    def drop_backend(self, backend: Backend) -> None:
        """The backend is not served any more."""
        self._gone(self._by_backend.pop(backend))
        siblings = tuple(other for other in self._backends.pop(backend.service) if other != backend)
        if siblings:
            self._backends[backend.service] = siblings

    def put(self, part: Hashable, resources: Iterable[Resource]) -> None:
        """The resources of any other part from now on."""
        self._put_in(self._parts, part, tuple(resources))

    def _put_in(self, parts: dict[PartT, tuple[Resource, ...]], part: PartT, now: tuple[Resource, ...]) -> None:
        before = parts.get(part, ())
        if len(before) == len(now) and all(one is other for one, other in zip(before, now, strict=True)):
            return
        parts[part] = now
        old = {resource.key: resource for resource in before}
        used = {key for key in old if key in self._secret_users}
        self._gone(before)
        for resource in now:
            self._put[resource.key] = resource
            self._removed.pop(resource.key, None)
            # Of thousands of references just the new ones are looked at.
            known = old.get(resource.key)
            fresh = resource.references if known is None else resource.references - known.references
            if resource.key in used or any(key.type is SECRET for key in fresh):
                self._secret_users[resource.key] = resource

    def put_secrets(self, secrets: Mapping[str, Resource]) -> None:
        """All secrets, by name, from now on."""
        for name in self._secrets.keys() - secrets.keys():
            self._gone(self._secrets.pop(name))
        for name, resource in secrets.items():
            self._put_in(self._secrets, name, (resource,))

    def keep_only(self, parts: Set[Hashable]) -> None:
        """Drops all parts that `put` made but these."""
        for part in self._parts.keys() - parts:
            self._gone(self._parts.pop(part))

    def wanted_secrets(self) -> Mapping[str, tuple[str, ...]]:
        """The secrets that its resources refer to, sorted by name, with the origins of those that do."""
        wanted: dict[str, dict[str, None]] = {}
        for _, resource in sorted(self._secret_users.items(), key=lambda item: (item[0].type.order, item[0].name)):
            for key in resource.references:
                if key.type is SECRET:
                    wanted.setdefault(key.name, {}).update(dict.fromkeys(resource.origin))
        return {name: tuple(origins) for name, origins in sorted(wanted.items())}

    def snapshot(self) -> Snapshot:
        """The snapshot of all parts. One that was known lately is given again: plans and the mesh that is served take
        turns.

        Raises:
            SnapshotError: the resources do not fit together.
        """
        last = self._snapshot
        put = [resource for key, resource in self._put.items() if last.get(*key) is not resource]
        remove = [key for key in self._removed if last.get(*key) is not None]
        if put or remove or not self._recent:
            made = last.replace(put=put, remove=remove)
            known = next((known for known in self._recent if known.same_as(made) and _same_origins(known, made)), None)
            self._snapshot = known if known is not None else made
            if known is None:
                self._recent.append(made)
        self._put.clear()
        self._removed.clear()
        return self._snapshot

    def _gone(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            self._put.pop(resource.key, None)
            self._removed[resource.key] = None
            self._secret_users.pop(resource.key, None)


def _same_origins(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots of the same content say that it came from the same documents."""
    for type in other.types:
        known = one.resources(type)
        for name, resource in other.resources(type).items():
            if known[name] is not resource and known[name].origin != resource.origin:
                return False
    return True

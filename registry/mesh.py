"""The mesh at one revision, as an immutable value: what the policy engine validates and compiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from registry.model import Change, Document, DocumentKey, Endpoint, EndpointKey, ItemKey, Service, ServiceKey

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

_GENERATIONS = 64
_MOST_KEYS = 1_000

_NO_ENDPOINTS: Mapping[EndpointKey, Endpoint] = MappingProxyType({})


class _Step(NamedTuple):
    """A mesh among its ancestors: `mark` is its own, `changed` names what differs from the one before."""

    mark: object
    changed: frozenset[ItemKey]


def _root() -> tuple[_Step, ...]:
    return (_Step(object(), frozenset()),)


def _copied(table: Mapping[KeyT, ValueT]) -> dict[KeyT, ValueT]:
    """A copy. That of a proxy is its dictionary's own, several times as fast as walking it."""
    return table.copy() if isinstance(table, MappingProxyType) else dict(table)


@dataclass(frozen=True, slots=True)
class Mesh:
    """Services, their endpoints and all documents as they stood after revision `revision` (0: nothing yet).

    A mesh remembers what it was made from, so that whoever knows one can learn what another changed without looking at
    the rest (`changed_since`).
    """

    revision: int = 0
    services: Mapping[ServiceKey, Service] = field(default_factory=lambda: MappingProxyType({}))
    endpoints: Mapping[ServiceKey, Mapping[EndpointKey, Endpoint]] = field(default_factory=lambda: MappingProxyType({}))
    documents: Mapping[DocumentKey, Document] = field(default_factory=lambda: MappingProxyType({}))
    lineage: tuple[_Step, ...] = field(default_factory=_root, compare=False, repr=False)

    def after(self, changes: Iterable[Change], *, revision: int | None = None) -> Mesh:
        """This mesh with `changes` made, at `revision` (this one's, if not given: a mesh that is only planned).

        Costs as much as the changed services have endpoints, plus a copy of each outer table that something is changed
        in.
        """
        services: dict[ServiceKey, Service] | None = None
        documents: dict[DocumentKey, Document] | None = None
        touched: dict[ServiceKey, dict[EndpointKey, Endpoint]] = {}
        keys: set[ItemKey] = set()
        for change in changes:
            keys.add(change.key)
            match change.item:
                case Service(key=service_key) as service:
                    services = _copied(self.services) if services is None else services
                    if change.after is None:
                        services.pop(service_key, None)
                    else:
                        services[service_key] = service
                case Document(key=document_key) as document:
                    documents = _copied(self.documents) if documents is None else documents
                    if change.after is None:
                        documents.pop(document_key, None)
                    else:
                        documents[document_key] = document
                case Endpoint(key=endpoint_key, service_key=owner) as endpoint:
                    of_owner = touched.get(owner)
                    if of_owner is None:
                        of_owner = touched[owner] = dict(self.endpoints.get(owner, _NO_ENDPOINTS))
                    if change.after is None:
                        of_owner.pop(endpoint_key, None)
                    else:
                        of_owner[endpoint_key] = endpoint
        return Mesh(
            revision=self.revision if revision is None else revision,
            services=self.services if services is None else MappingProxyType(services),
            endpoints=self._endpoints_with(touched) if touched else self.endpoints,
            documents=self.documents if documents is None else MappingProxyType(documents),
            lineage=self._lineage_with(keys),
        )

    def at(self, revision: int) -> Mesh:
        """This mesh as that of `revision`: a planned one that was committed. Whoever knows the one knows the other."""
        return replace(self, revision=revision)

    def _endpoints_with(
        self, touched: Mapping[ServiceKey, dict[EndpointKey, Endpoint]]
    ) -> Mapping[ServiceKey, Mapping[EndpointKey, Endpoint]]:
        endpoints = _copied(self.endpoints)
        for owner, of_owner in touched.items():
            if of_owner:
                endpoints[owner] = MappingProxyType(of_owner)
            else:
                endpoints.pop(owner, None)
        return MappingProxyType(endpoints)

    def _lineage_with(self, keys: set[ItemKey]) -> tuple[_Step, ...]:
        if len(keys) > _MOST_KEYS:
            return _root()
        return (*self.lineage[1 - _GENERATIONS :], _Step(object(), frozenset(keys)))

    def changed_since(self, other: Mesh) -> frozenset[ItemKey] | None:
        """The items in which this mesh may differ from `other`; all others are the same in both. None if that is not
        known: they have no ancestor in common, or none that is near."""
        if self is other:
            return frozenset()
        places = {step.mark: index for index, step in enumerate(other.lineage)}
        changed: set[ItemKey] = set()
        for step in reversed(self.lineage):
            if (index := places.get(step.mark)) is not None:
                return frozenset(changed.union(*(later.changed for later in other.lineage[index + 1 :])))
            changed |= step.changed
        return None

    def endpoints_of(self, service: ServiceKey) -> tuple[Endpoint, ...]:
        """The endpoints of `service`, sorted by address and port."""
        return tuple(endpoint for _, endpoint in sorted(self.endpoints.get(service, _NO_ENDPOINTS).items()))

    def endpoint(self, key: EndpointKey) -> Endpoint | None:
        return self.endpoints.get(ServiceKey(key.namespace, key.service), _NO_ENDPOINTS).get(key)

    def versions_of(self, service: ServiceKey) -> tuple[str, ...]:
        """The values of the label `version` among the endpoints of `service`, sorted."""
        endpoints = self.endpoints.get(service, _NO_ENDPOINTS).values()
        return tuple(sorted({endpoint.version for endpoint in endpoints if endpoint.version is not None}))

    def documents_of(self, kind: str) -> Iterator[Document]:
        """The documents of one kind, sorted by namespace and name."""
        return (document for key, document in sorted(self.documents.items()) if key.kind == kind)

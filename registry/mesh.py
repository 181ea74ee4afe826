"""The mesh at one revision, as an immutable value: what the policy engine validates and compiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from registry.model import Change, Document, DocumentKey, Endpoint, EndpointKey, Service, ServiceKey

_NO_ENDPOINTS: Mapping[EndpointKey, Endpoint] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Mesh:
    """Services, their endpoints and all documents as they stood after revision `revision` (0: nothing yet)."""

    revision: int = 0
    services: Mapping[ServiceKey, Service] = field(default_factory=lambda: MappingProxyType({}))
    endpoints: Mapping[ServiceKey, Mapping[EndpointKey, Endpoint]] = field(default_factory=lambda: MappingProxyType({}))
    documents: Mapping[DocumentKey, Document] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, changes: Iterable[Change], *, revision: int | None = None) -> Mesh:
        """This mesh with `changes` made, at `revision` (this one's, if not given: a mesh that is only planned).

        Costs as much as the changed services have endpoints, plus a copy of the outer tables.
        """
        services, documents = dict(self.services), dict(self.documents)
        touched: dict[ServiceKey, dict[EndpointKey, Endpoint]] = {}
        for change in changes:
            match change.item:
                case Service(key=service_key) as service:
                    if change.after is None:
                        services.pop(service_key, None)
                    else:
                        services[service_key] = service
                case Document(key=document_key) as document:
                    if change.after is None:
                        documents.pop(document_key, None)
                    else:
                        documents[document_key] = document
                case Endpoint(key=endpoint_key, service_key=owner) as endpoint:
                    of_owner = touched.setdefault(owner, dict(self.endpoints.get(owner, _NO_ENDPOINTS)))
                    if change.after is None:
                        of_owner.pop(endpoint_key, None)
                    else:
                        of_owner[endpoint_key] = endpoint
        endpoints = dict(self.endpoints)
        for owner, of_owner in touched.items():
            if of_owner:
                endpoints[owner] = MappingProxyType(of_owner)
            else:
                endpoints.pop(owner, None)
        return Mesh(
            revision=self.revision if revision is None else revision,
            services=MappingProxyType(services),
            endpoints=MappingProxyType(endpoints),
            documents=MappingProxyType(documents),
        )

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

"""From two meshes to what has to be looked at anew: the routes, services and sidecars that a change can reach.

A kind of document that is not known here reaches everything. So a new kind costs time before it is told here what it
reaches, and is never wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from policy.attached import AttachedPolicy
from policy.documents import Documents
from policy.gateway import Gateway
from policy.kinds import ROUTE_KINDS
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, EndpointKey, ItemKey, ServiceKey

_ROUTES = frozenset(kind.KIND for kind in ROUTE_KINDS)


@dataclass(slots=True)
class Reach:
    """routes: to be resolved anew. services: how they are reached, or their endpoints. sidecars: their documents."""

    routes: set[DocumentKey] = field(default_factory=set)
    services: set[ServiceKey] = field(default_factory=set)
    sidecars: set[DocumentKey] = field(default_factory=set)


def reach(
    before: Mesh,
    after: Mesh,
    changed: Collection[ItemKey],
    *,
    before_documents: Documents,
    documents: Documents,
) -> Reach | None:
    """What `changed`, the items in which two meshes may differ, can reach; None if that may be anything."""
    found = Reach()
    names: set[ServiceKey] = set()
    keys = [key for key in changed if isinstance(key, DocumentKey)]
    for key in changed:
        match key:
            case EndpointKey():
                service = ServiceKey(key.namespace, key.service)
                if service not in found.services:
                    found.services.add(service)
                    if before.versions_of(service) != after.versions_of(service):
                        names.add(service)
            case ServiceKey():
                found.services.add(key)
                if (key in before.services) != (key in after.services):
                    names.add(key)
            case DocumentKey():
                pass
    if keys and not _of_documents(found, (before_documents, documents), keys):
        return None
    if names:
        found.routes |= naming(documents, names)
        # A sidecar's dependency is a name, too: whoever follows one of these is among those to look at.
        found.services |= names
    return found


def _of_documents(found: Reach, both: Iterable[Documents], keys: Iterable[DocumentKey]) -> bool:
    """Whether what the documents reach is known; it is in `found` then."""
    for documents in both:
        for key in keys:
            document = documents.find(key)
            if key.kind in _ROUTES:
                found.routes.add(key)
            elif key.kind == Sidecar.KIND:
                found.sidecars.add(key)
            elif isinstance(document, AttachedPolicy):
                for target in document.targets():
                    if target.kind == Gateway.KIND:
                        return False
                    if target.kind == "Service":
                        found.services.add(ServiceKey(target.namespace, target.name))
                    else:
                        found.routes.add(DocumentKey(target.kind, target.namespace, target.name))
            elif document is not None:
                return False
    return True


def naming(documents: Documents, services: Collection[ServiceKey]) -> set[DocumentKey]:
    """The routes that may mean one of `services`, or a version of it, by a name (docs/decisions/0002), or that are
    attached to one."""
    found = set()
    for route in documents.routes:
        home = route.key.namespace
        named = [(ref.namespace or home, ref.name) for _, ref in route.backend_refs()]
        named += [(ref.namespace or home, ref.name) for ref in route.spec.parent_refs if ref.kind == "Service"]
        if any(
            namespace == service.namespace and (name == service.name or name.startswith(f"{service.name}-"))
            for namespace, name in named
            for service in services
        ):
            found.add(route.key)
    return found

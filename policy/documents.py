"""All documents of a mesh, typed and by kind, with the policies that are attached to them. Made once for a mesh."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from functools import cached_property
from typing import TypeVar

from policy.attached import AttachedPolicy
from policy.effective import Attachments
from policy.envoy_patch import EnvoyPatch
from policy.gateway import Gateway
from policy.kinds import POLICY_KINDS, ROUTE_KINDS, typed
from policy.reference_grant import Grants, ReferenceGrant
from policy.route import Route
from policy.shapes import BaseDocument
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey

DocumentT = TypeVar("DocumentT", bound=BaseDocument)


class Documents:
    """The documents of one mesh. Immutable."""

    def __init__(self, mesh: Mesh) -> None:
        by_kind: dict[str, dict[DocumentKey, BaseDocument]] = {}
        for key, document in sorted(mesh.documents.items()):
            by_kind.setdefault(key.kind, {})[key] = typed(document)
        self._by_kind = by_kind

    @classmethod
    def of(cls, mesh: Mesh) -> Documents:
        """The documents of `mesh`. Those of the last few meshes are remembered: each is validated, compiled and asked
        about several times."""
        for other, known in _recent:
            if other.documents is mesh.documents:
                return known
        made = None
        for other, known in reversed(_recent):
            if (changed := mesh.changed_since(other)) is not None:
                made = known._after(mesh, [key for key in changed if isinstance(key, DocumentKey)])
                break
        made = made or cls(mesh)
        _recent.append((mesh, made))
        return made

    def _after(self, mesh: Mesh, changed: Collection[DocumentKey]) -> Documents:
        """The documents of `mesh`, where just `changed` may be others. What does not depend on these is kept."""
        made = Documents.__new__(Documents)
        made._by_kind = dict(self._by_kind)
        for kind in {key.kind for key in changed}:
            of_kind = dict(self._by_kind.get(kind, {}))
            is_sorted = True
            for key in changed:
                if key.kind == kind:
                    document = mesh.documents.get(key)
                    if document is None:
                        of_kind.pop(key, None)
                    else:
                        is_sorted = is_sorted and key in of_kind
                        of_kind[key] = typed(document)
            made._by_kind[kind] = of_kind if is_sorted else dict(sorted(of_kind.items()))
        for kinds, names in _DEPENDING:
            if not any(key.kind in kinds for key in changed):
                made.__dict__.update({name: self.__dict__[name] for name in names if name in self.__dict__})
        return made

    def all(self, kind: type[DocumentT]) -> tuple[DocumentT, ...]:
        """Those of a kind, sorted by namespace and name."""
        return tuple(self._by_kind.get(kind.KIND, {}).values())  # type: ignore[arg-type]  # a kind has one class

    def get(self, kind: type[DocumentT], namespace: str, name: str) -> DocumentT | None:
        found = self._by_kind.get(kind.KIND, {}).get(DocumentKey(kind.KIND, namespace, name))
        assert found is None or isinstance(found, kind)
        return found

    def find(self, key: DocumentKey) -> BaseDocument | None:
        return self._by_kind.get(key.kind, {}).get(key)

    def names(self, kind: str, namespace: str) -> list[str]:
        """The names of one kind in a namespace, sorted."""
        return [key.name for key in self._by_kind.get(kind, {}) if key.namespace == namespace]

    @cached_property
    def policies(self) -> tuple[AttachedPolicy, ...]:
        """The attached policies, by kind (in the order of `policy.kinds`), namespace and name."""
        return tuple(policy for kind in POLICY_KINDS for policy in self.all(kind))

    @cached_property
    def attachments(self) -> Attachments:
        """The attached policies by what they are attached to; without patches, which are for what all these come to."""
        return Attachments(policy for policy in self.policies if not isinstance(policy, EnvoyPatch))

    @cached_property
    def grants(self) -> Grants:
        """What documents of one namespace may name in another."""
        return Grants(self.all(ReferenceGrant))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The routes of all kinds, sorted by kind, namespace and name."""
        return tuple(route for kind in ROUTE_KINDS for route in self.all(kind))

    @cached_property
    def _routes_by_parent(self) -> dict[tuple[str, str, str], list[Route]]:
        found: dict[tuple[str, str, str], list[Route]] = {}
        for route in self.routes:
            home = route.key.namespace
            parents = ((ref.kind, ref.namespace or home, ref.name) for ref in route.spec.parent_refs)
            for key in dict.fromkeys(parents):
                found.setdefault(key, []).append(route)
        return found

    def routes_of(self, parent: Gateway) -> list[Route]:
        """The routes that name `parent`, sorted by kind, namespace and name."""
        return self._routes_by_parent.get((parent.key.kind, parent.key.namespace, parent.key.name), [])

    def routes_to(self, service: ServiceKey) -> list[Route]:
        """The routes that callers of `service` follow, sorted by kind, namespace and name."""
        return self._routes_by_parent.get(("Service", *service), [])


_DEPENDING: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset(kind.KIND for kind in POLICY_KINDS), ("policies", "attachments")),
    (frozenset(kind.KIND for kind in ROUTE_KINDS), ("routes", "_routes_by_parent")),
    (frozenset([ReferenceGrant.KIND]), ("grants",)),
)
"""What is found out of documents of some kinds alone, and so stays as it is while none of these changes."""

_recent: deque[tuple[Mesh, Documents]] = deque(maxlen=4)

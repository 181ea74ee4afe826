"""All documents of a mesh, typed and by kind, with the policies that are attached to them. Made once for a mesh."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any, TypeVar

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
        for documents, known in _recent:
            if documents is mesh.documents:
                return known
        made = cls(mesh)
        _recent.append((mesh.documents, made))
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


_recent: deque[tuple[Any, Documents]] = deque(maxlen=4)

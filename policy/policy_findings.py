"""What is wrong with each attached policy, or worth a look, remembered from mesh to mesh: as long as nothing but routes
changes, only those policies are looked at anew that are attached to these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from policy.attached import AttachedPolicy
from policy.documents import Documents
from policy.errors import Problem
from policy.kinds import ROUTE_KINDS
from registry.mesh import Mesh
from registry.model import DocumentKey, ItemKey

Finding: TypeAlias = Problem | str

_ROUTES = frozenset(kind.KIND for kind in ROUTE_KINDS)


class PolicyFindings:
    """The findings of the attached policies of the mesh that was judged last."""

    def __init__(self) -> None:
        self._last: Mesh | None = None
        self._policies: dict[DocumentKey, AttachedPolicy] = {}
        self._attached_to: dict[DocumentKey, list[DocumentKey]] = {}  # by route
        self._found: dict[DocumentKey, tuple[Finding, ...]] = {}  # of the policies of which there is anything to say

    def of(
        self,
        mesh: Mesh,
        documents: Documents,
        *,
        changed: Collection[ItemKey],
        judge: Callable[[AttachedPolicy], Iterable[Finding]],
    ) -> Iterator[Finding]:
        """What `judge` finds, policy by policy. changed: as for `validate`."""
        stale = self._stale(mesh, changed)
        self._last = None  # if this fails half-way, nothing of it is built upon
        if stale is None:
            self._look_at(documents)
            stale = self._policies.keys()
        for key, policy in self._policies.items():
            if key in stale:
                self._found.pop(key, None)
                if found := tuple(judge(policy)):
                    self._found[key] = found
        if _routes(changed) is not None:
            self._last = mesh  # else some were judged more strictly than they are as standing documents
        for key in self._policies:
            yield from self._found.get(key, ())

    def _stale(self, mesh: Mesh, changed: Collection[ItemKey]) -> Collection[DocumentKey] | None:
        """The policies whose findings may be others than they were; None: all."""
        if self._last is None:
            return None
        moved = mesh.changed_since(self._last)
        routes = _routes(moved) if moved is not None else None
        if routes is None or _routes(changed) is None:
            return None
        # What is said of a route that does not exist names others that do, so what was found is always found again.
        return {*self._found, *(policy for key in routes for policy in self._attached_to.get(key, ()))}

    def _look_at(self, documents: Documents) -> None:
        self._policies = {policy.key: policy for policy in documents.policies}
        self._attached_to, self._found = {}, {}
        for policy in documents.policies:
            for target in policy.targets():
                if target.kind in _ROUTES:
                    route = DocumentKey(target.kind, target.namespace, target.name)
                    self._attached_to.setdefault(route, []).append(policy.key)


def _routes(keys: Collection[ItemKey]) -> list[DocumentKey] | None:
    """`keys`, if they are all of routes."""
    found = [key for key in keys if isinstance(key, DocumentKey) and key.kind in _ROUTES]
    return found if len(found) == len(keys) else None

"""What is wrong with each route, or worth a look, remembered from mesh to mesh: a change looks anew at those routes
alone that it can reach (`policy.reach`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from policy.documents import Documents
from policy.errors import Problem
from policy.kinds import ROUTE_KINDS
from policy.reach import naming, reach
from policy.route import Route
from registry.mesh import Mesh
from registry.model import DocumentKey, ItemKey, ServiceKey

Finding: TypeAlias = Problem | str

_KIND_ORDER = {kind.KIND: index for index, kind in enumerate(ROUTE_KINDS)}


class RouteFindings:
    """The findings of the routes of the mesh that was judged last."""

    def __init__(self) -> None:
        self._last: tuple[Mesh, Documents] | None = None
        self._found: dict[DocumentKey, tuple[Finding, ...]] = {}  # of the routes of which there is anything to say
        self._fresh: set[DocumentKey] = set()

    def of(
        self,
        mesh: Mesh,
        documents: Documents,
        *,
        changed: Collection[ItemKey],
        judge: Callable[[Route], Iterable[Finding]],
    ) -> Iterator[Finding]:
        """What `judge` finds, route by route. changed: as for `validate`: what a route says of these is judged more
        strictly, and so is judged again when they are not among the changed any more."""
        stale = self._stale(mesh, documents)
        fresh = {key for key in changed if isinstance(key, DocumentKey)}
        services = [key for key in changed if isinstance(key, ServiceKey)]
        fresh |= naming(documents, services) if services else set()
        self._last = None  # if this fails half-way, nothing of it is built upon
        if stale is None:
            self._found = {route.key: found for route in documents.routes if (found := tuple(judge(route)))}
        else:
            for key in stale | self._fresh | fresh:
                route = documents.find(key)
                self._found.pop(key, None)
                if isinstance(route, Route) and (found := tuple(judge(route))):
                    self._found[key] = found
        self._fresh = fresh
        self._last = (mesh, documents)
        for key in sorted(self._found, key=lambda key: (_KIND_ORDER[key.kind], key)):
            yield from self._found[key]

    def _stale(self, mesh: Mesh, documents: Documents) -> set[DocumentKey] | None:
        """The routes whose findings may be others than they were; None: all."""
        if self._last is None:
            return None
        before, before_documents = self._last
        changed = mesh.changed_since(before)
        found = None
        if changed is not None:
            found = reach(before, mesh, changed, before_documents=before_documents, documents=documents)
        if found is None:
            return None
        return found.routes | (naming(documents, found.services) if found.services else set())

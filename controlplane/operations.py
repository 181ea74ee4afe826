"""All that can be done to the mesh, one at a time: check, plan, commit, tell. The admin API and the demo call these.

Every change goes through `_commit`, becomes one revision and reaches `changed`. Nothing else writes to the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.admission.admission import Admission
from controlplane.admission.refusal import Check
from controlplane.errors import NotFoundError
from policy.address_lists import AddressLists
from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.identities import Identities
from policy.kinds import PolicyDocument
from policy.plan import Plan, plan
from registry.errors import ConflictError
from registry.mesh import Mesh
from registry.model import Change, Document, DocumentKey, Endpoint, EndpointKey, Revision, Service, ServiceKey
from registry.store import Store


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who asks for a change, and why; kept with the revision."""

    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change came to. `changed` is false when everything was so already: then there is no new revision."""

    revision: int
    changed: bool
    plan: Plan


class Operations:
    """The mesh and the ways to change it. Lives on one event loop; changes are serialised.

    check: who has to take a change, where the call does not say. Where a real Envoy has to, each change also raises
    NotAdmittedError if it does not, or ProxyError if it cannot be asked.
    """

    def __init__(
        self,
        store: Store,
        mesh: Mesh,
        *,
        compiler: Compiler,
        changed: Callable[[Revision, Mesh], None],
        admission: Admission | None = None,
        check: Check = Check.NONE,
    ) -> None:
        self._store = store
        self._mesh = mesh
        self._compiler = compiler
        self._changed = changed
        self._admission = admission or Admission()
        self._check = check
        self._lock = asyncio.Lock()

    @property
    def mesh(self) -> Mesh:
        """The mesh as it stands."""
        return self._mesh

    @property
    def compiler(self) -> Compiler:
        """What compiles the mesh, with what it remembers."""
        return self._compiler

    @property
    def identities(self) -> Identities:
        """Where certificates come from."""
        return self._compiler.identities

    @property
    def lists(self) -> AddressLists:
        """Where lists of addresses come from."""
        return self._compiler.lists

    # --- documents ---

    async def plan_documents(self, documents: Iterable[PolicyDocument], *, check: Check | None = None) -> Plan:
        """What applying `documents` would do. Raises PolicyError."""
        return await self._admitted(self._plan(self._puts(documents)), check)

    async def apply(
        self,
        documents: Sequence[PolicyDocument],
        *,
        by: Attribution,
        expected: int | None = None,
        check: Check | None = None,
    ) -> Applied:
        """Applies all of `documents` or none.

        Raises:
            PolicyError: the mesh would not be valid.
            ConflictError: the mesh is not at revision `expected` any more.
        """
        if (check or self._check) is Check.ENVOY:
            # Asked here first, so that others' changes do not wait for it; below, its verdict is remembered.
            await self.plan_documents(documents, check=check)
        async with self._lock:
            if expected is not None and expected != self._mesh.revision:
                raise ConflictError(
                    f"the mesh is at revision {self._mesh.revision}, not at {expected}: look at the plan again"
                )
            return await self._commit(self._puts(documents), by, check=check)

    async def delete(self, keys: Sequence[DocumentKey], *, by: Attribution) -> Applied:
        """Deletes documents, all or none. Raises NotFoundError, or PolicyError if others refer to them."""
        async with self._lock:
            return await self._commit(self._removals(keys), by)

    async def plan_delete(self, keys: Sequence[DocumentKey]) -> Plan:
        return await self._admitted(self._plan(self._removals(keys)))

    # --- what exists ---

    async def register_service(self, service: Service, *, by: Attribution) -> Applied:
        """Adds or changes a service. Raises PolicyError if standing documents would not fit it."""
        async with self._lock:
            self._refuse_ambiguous_name(service)
            before = self._mesh.services.get(service.key)
            return await self._commit([Change(before, service)] if before != service else [], by)

    async def deregister_service(self, key: ServiceKey, *, by: Attribution) -> Applied:
        """Removes a service and its endpoints. Raises PolicyError if documents refer to it."""
        async with self._lock:
            service = self._service(key)
            endpoints = [Change(endpoint, None) for endpoint in self._mesh.endpoints_of(key)]
            return await self._commit([*endpoints, Change(service, None)], by)

    async def register_endpoint(self, endpoint: Endpoint, *, by: Attribution) -> Revision | None:
        """Adds or changes an endpoint; None if it was so already. Raises NotFoundError without its service.

        Endpoints come and go by themselves, so they are not planned: no document is ever invalid for lack of one.
        """
        async with self._lock:
            self._service(endpoint.service_key)
            self._refuse_ambiguous_version(endpoint)
            before = self._mesh.endpoint(endpoint.key)
            return await self._write_unplanned([Change(before, endpoint)], by) if before != endpoint else None

    async def deregister_endpoint(self, key: EndpointKey, *, by: Attribution) -> Revision:
        """Removes an endpoint. Raises NotFoundError."""
        async with self._lock:
            before = self._mesh.endpoint(key)
            if before is None:
                of_service = self._mesh.endpoints_of(ServiceKey(key.namespace, key.service))
                known = ", ".join(str(endpoint.key) for endpoint in of_service[:5]) or "none"
                raise NotFoundError(f"no endpoint {key}: this service has {known}")
            return await self._write_unplanned([Change(before, None)], by)

    # --- planned elsewhere ---

    async def plan_changes(self, changes: Sequence[Change]) -> Plan:
        """What `changes` of the mesh as it stands would do. Raises PolicyError."""
        return await self._admitted(self._plan(changes))

    async def plan_restoring(self, revision: int) -> tuple[Change, ...]:
        """The changes that give back the documents of `revision`. Raises RevisionNotFoundError."""
        return tuple(await self._restoring(revision))

    async def commit(self, changes: Sequence[Change], *, by: Attribution) -> Applied:
        """Makes changes that were planned before.

        Raises:
            ConflictError: what they change has changed since; PolicyError: the mesh would not be valid any more.
        """
        async with self._lock:
            return await self._commit(changes, by)

    # --- revisions ---

    async def revisions(self, *, before: int | None, limit: int) -> tuple[Revision, ...]:
        return await self._store.revisions(before=before, limit=limit)

    async def plan_rollback(self, revision: int) -> Plan:
        return await self._admitted(self._plan(await self._restoring(revision)))

    async def rollback(self, revision: int, *, by: Attribution) -> Applied:
        """Gives back the documents of `revision` as a new revision. Services and endpoints stay: they say what exists.

        Raises:
            PolicyError: those documents do not fit what exists now.
        """
        async with self._lock:
            reason = by.reason or f"roll back to revision {revision}"
            return await self._commit(await self._restoring(revision), Attribution(by.author, reason))

    # --- inside ---

    def _plan(self, changes: Sequence[Change], *, thorough: bool = True) -> Plan:
        return plan(self._mesh, changes, compiler=self._compiler, now=datetime.now(UTC), thorough=thorough)

    async def _admitted(self, planned: Plan, check: Check | None = None) -> Plan:
        """`planned`, if all that have to take it do."""
        if (check or self._check) is Check.ENVOY:
            await self._admission.check(planned)
        return planned

    async def _commit(self, changes: Sequence[Change], by: Attribution, *, check: Check | None = None) -> Applied:
        """Plans, then writes. The caller holds the lock."""
        planned = await self._admitted(self._plan(changes, thorough=False), check)
        if not changes:
            return Applied(self._mesh.revision, changed=False, plan=planned)
        revision = await self._write(changes, by, after=planned.after)
        return Applied(revision.number, changed=True, plan=planned)

    async def _write_unplanned(self, changes: Sequence[Change], by: Attribution) -> Revision:
        return await self._write(changes, by, after=self._mesh.after(changes))

    async def _write(self, changes: Sequence[Change], by: Attribution, *, after: Mesh) -> Revision:
        """Commits `changes`, and tells of the mesh `after` them: the one that was planned, which is compiled already.
        The caller holds the lock."""
        revision = await self._store.commit(changes, author=by.author, reason=by.reason)
        self._mesh = after.at(revision.number)
        self._changed(revision, self._mesh)
        return revision

    def _puts(self, documents: Iterable[PolicyDocument]) -> list[Change]:
        changes = []
        for document in documents:
            after = document.to_document()
            before = self._mesh.documents.get(after.key)
            if before != after:
                changes.append(Change(before, after))
        return changes

    def _removals(self, keys: Sequence[DocumentKey]) -> list[Change]:
        changes = []
        for key in dict.fromkeys(keys):
            before = self._mesh.documents.get(key)
            if before is None:
                known = sorted(other.name for other in self._mesh.documents if other[:2] == key[:2])
                raise NotFoundError(f"no {key}: {key.namespace} has {', '.join(known) or 'none'}")
            changes.append(Change(before, None))
        return changes

    async def _restoring(self, revision: int) -> list[Change]:
        now = self._mesh.documents
        then = (await self._store.mesh_at(revision)).documents
        return [
            Change(now.get(key), then.get(key))
            for key in sorted(now.keys() | then.keys())
            if now.get(key) != then.get(key)
        ]

    def _service(self, key: ServiceKey) -> Service:
        service = self._mesh.services.get(key)
        if service is None:
            known = sorted(other.name for other in self._mesh.services if other.namespace == key.namespace)
            shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
            raise NotFoundError(f"no service {key}: {key.namespace} has {shown or 'none'}")
        return service

    def _refuse_ambiguous_name(self, service: Service) -> None:
        """A backend "payment-v2" is the service of that name or version v2 of payment; it must not become both."""
        name = service.name
        for cut in (index for index, character in enumerate(name) if character == "-"):
            owner = ServiceKey(service.namespace, name[:cut])
            if owner in self._mesh.services and name[cut + 1 :] in self._mesh.versions_of(owner):
                raise PolicyError.of(
                    document=f"Service {service.key}",
                    path="name",
                    got=f'"{name}", which already means version {name[cut + 1 :]} of {owner}',
                    want="another name",
                )

    def _refuse_ambiguous_version(self, endpoint: Endpoint) -> None:
        taken = ServiceKey(endpoint.namespace, f"{endpoint.service}-{endpoint.version}")
        if endpoint.version is not None and taken in self._mesh.services:
            raise PolicyError.of(
                document=f"Endpoint {endpoint.key}",
                path="labels.version",
                got=f'"{endpoint.version}", but {taken} is a service of its own',
                want="another version",
            )


def document_changes(applied: Plan) -> tuple[Change, ...]:
    """The changes of a plan that are about documents."""
    return tuple(change for change in applied.changes if isinstance(change.item, Document))

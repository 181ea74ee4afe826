"""The admin API as a gRPC servicer: reads requests, calls the operations, writes messages. It decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from controlplane import messages, registration
from controlplane.admission.refusal import Check
from controlplane.conditions import Programmed
from controlplane.conversation import MAX_SENTENCE, converse
from controlplane.errors import ControlPlaneError, NotFoundError
from controlplane.events import EventBus
from controlplane.explaining import explained
from controlplane.operations import Attribution, Operations
from controlplane.sentences import Sentences
from controlplane.transitions import Transitions
from controlplane.understanding import analyzed, explained_resources
from intelligence.intents.errors import IntentError
from policy.address_lists import Filling
from policy.conditions import Conditions
from policy.errors import NotAdmittedError, PolicyError
from policy.kinds import KINDS
from policy.reading import read_documents
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1 import admin_pb2_grpc
from registry.errors import ConflictError, RegistryError, RevisionNotFoundError, StoreUnavailableError
from registry.model import DEFAULT_NAMESPACE, DocumentKey, EndpointKey, ServiceKey
from xds.cache import SnapshotCache
from xds.errors import XdsError
from xds.fleet import ClientStatus, Fleet

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
ResultT = TypeVar("ResultT")

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["AdminService"].full_name

_REVISIONS = 50
_MAX_REVISIONS = 1_000
_SERVICE = "Service"

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (IntentError, code_pb2.FAILED_PRECONDITION),
    (NotFoundError, code_pb2.NOT_FOUND),
    (RevisionNotFoundError, code_pb2.NOT_FOUND),
    (ConflictError, code_pb2.ABORTED),
    (StoreUnavailableError, code_pb2.UNAVAILABLE),
    (RegistryError, code_pb2.INTERNAL),
    (XdsError, code_pb2.INTERNAL),
    (ControlPlaneError, code_pb2.FAILED_PRECONDITION),
)


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """apg.admin.v1.AdminService."""

    def __init__(
        self,
        operations: Operations,
        *,
        cache: SnapshotCache,
        sentences: Sentences,
        fleet: Fleet,
        events: EventBus,
        published_revision: Callable[[], int],
        transitions: Transitions,
    ) -> None:
        self._operations = operations
        self._cache = cache
        self._sentences = sentences
        self._published_revision = published_revision
        self._transitions = transitions
        self._fleet = fleet
        self._events = events

    # --- what exists ---

    async def RegisterService(self, request: pb.RegisterServiceRequest, context: Context) -> pb.ChangeResponse:
        async def call() -> pb.ChangeResponse:
            item = registration.service(request.service)
            applied = await self._operations.register_service(item, by=_by(request.attribution))
            return pb.ChangeResponse(revision=applied.revision, changed=applied.changed)

        return await _answer(context, call)

    async def DeregisterService(self, request: pb.DeregisterServiceRequest, context: Context) -> pb.ChangeResponse:
        async def call() -> pb.ChangeResponse:
            key = ServiceKey(request.namespace or DEFAULT_NAMESPACE, request.name)
            applied = await self._operations.deregister_service(key, by=_by(request.attribution))
            return pb.ChangeResponse(revision=applied.revision, changed=applied.changed)

        return await _answer(context, call)

    async def RegisterEndpoint(self, request: pb.RegisterEndpointRequest, context: Context) -> pb.ChangeResponse:
        async def call() -> pb.ChangeResponse:
            item = registration.endpoint(request.endpoint)
            revision = await self._operations.register_endpoint(item, by=_by(request.attribution))
            return pb.ChangeResponse(revision=self._operations.mesh.revision, changed=revision is not None)

        return await _answer(context, call)

    async def DeregisterEndpoint(self, request: pb.DeregisterEndpointRequest, context: Context) -> pb.ChangeResponse:
        async def call() -> pb.ChangeResponse:
            namespace = request.namespace or DEFAULT_NAMESPACE
            key = EndpointKey(namespace, request.service, request.address, request.port)
            revision = await self._operations.deregister_endpoint(key, by=_by(request.attribution))
            return pb.ChangeResponse(revision=revision.number, changed=True)

        return await _answer(context, call)

    # --- what is asked for ---

    async def Apply(self, request: pb.ApplyRequest, context: Context) -> pb.ApplyResponse:
        async def call() -> pb.ApplyResponse:
            documents = read_documents(request.documents, source=request.source or "request")
            applied = await self._operations.apply(
                documents,
                by=_by(request.attribution),
                expected=request.expected_revision or None,
                check=_check(request.check),
            )
            return messages.applied(applied)

        return await _answer(context, call)

    async def Plan(self, request: pb.PlanRequest, context: Context) -> pb.PlanResponse:
        async def call() -> pb.PlanResponse:
            documents = read_documents(request.documents, source=request.source or "request")
            planned = await self._operations.plan_documents(documents, check=_check(request.check))
            return pb.PlanResponse(plan=await messages.plan_beside(planned))

        return await _answer(context, call)

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.ApplyResponse:
        async def call() -> pb.ApplyResponse:
            keys = [
                DocumentKey(_kind(key.kind), key.namespace or DEFAULT_NAMESPACE, key.name) for key in request.documents
            ]
            if request.dry_run:
                planned = await self._operations.plan_delete(keys)
                return pb.ApplyResponse(revision=planned.base_revision, plan=await messages.plan_beside(planned))
            return messages.applied(await self._operations.delete(keys, by=_by(request.attribution)))

        return await _answer(context, call)

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        async def call() -> pb.GetResponse:
            mesh, namespace = self._operations.mesh, request.namespace or DEFAULT_NAMESPACE
            if request.kind == _SERVICE:
                service = mesh.services.get(ServiceKey(namespace, request.name))
                if service is not None:
                    return pb.GetResponse(service=messages.service(mesh, service))
            else:
                document = mesh.documents.get(DocumentKey(_kind(request.kind), namespace, request.name))
                if document is not None:
                    return pb.GetResponse(document=messages.document(document, self.statuses()(document.key)))
            raise NotFoundError(f"no {request.kind} {namespace}/{request.name}")

        return await _answer(context, call)

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:
        async def call() -> pb.ListResponse:
            mesh, kind = self._operations.mesh, request.kind
            wanted, status = kind if kind in ("", _SERVICE) else _kind(kind), self.statuses()
            return pb.ListResponse(
                revision=mesh.revision,
                documents=[
                    messages.document(document, status(key))
                    for key, document in sorted(mesh.documents.items())
                    if wanted in ("", key.kind) and request.namespace in ("", key.namespace)
                ],
                services=[
                    messages.service(mesh, service)
                    for service_key, service in sorted(mesh.services.items())
                    if wanted in ("", _SERVICE) and request.namespace in ("", service_key.namespace)
                ],
            )

        return await _answer(context, call)

    def statuses(self, proxies: Sequence[ClientStatus] | None = None) -> Callable[[DocumentKey], dict[str, Any]]:
        """The status of each document of the mesh as it stands. proxies: `Fleet.status`, where that is known."""
        mesh = self._operations.mesh
        is_published = self._published_revision() >= mesh.revision
        programmed = Programmed(
            self._cache.groups, self._fleet.status() if proxies is None else proxies, is_published=is_published
        )
        conditions = Conditions(mesh, self._operations.identities)
        return lambda key: self._transitions.stamped(key, conditions.status(key, programmed.of(str(key))))

    # --- explanations ---

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        async def call() -> pb.ExplainResponse:
            operations = self._operations
            mesh = Filling(operations.lists).filled(operations.mesh)
            return explained(mesh, request, identities=operations.identities, now=datetime.now(UTC))

        return await _answer(context, call)

    async def Why(self, request: pb.WhyRequest, context: Context) -> pb.WhyResponse:
        async def call() -> pb.WhyResponse:
            return explained_resources(
                self._operations.mesh, request, compiler=self._operations.compiler, fleet=self._fleet
            )

        return await _answer(context, call)

    async def Analyze(self, request: pb.AnalyzeRequest, context: Context) -> pb.AnalyzeResponse:
        async def call() -> pb.AnalyzeResponse:
            return analyzed(self._operations.mesh, request, compiler=self._operations.compiler)

        return await _answer(context, call)

    # --- sentences ---

    async def Propose(self, request: pb.ProposeRequest, context: Context) -> pb.ProposeResponse:
        async def call() -> pb.ProposeResponse:
            _bounded(request.sentence)
            proposal = await self._sentences.propose(request.sentence, conversation=request.conversation)
            return messages.proposal(proposal, traffic=self._sentences.traffic(proposal.answer))

        return await _answer(context, call)

    async def Confirm(self, request: pb.ConfirmRequest, context: Context) -> pb.ApplyResponse:
        async def call() -> pb.ApplyResponse:
            by = _by(request.attribution)
            return messages.applied(await self._sentences.confirm(request.proposal_id, by=by, typed=request.typed_name))

        return await _answer(context, call)

    async def Converse(
        self, requests: AsyncIterator[pb.ConverseRequest], context: Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        async for response in converse(requests, self._sentences):
            yield response

    # --- revisions ---

    async def ListRevisions(self, request: pb.ListRevisionsRequest, context: Context) -> pb.ListRevisionsResponse:
        async def call() -> pb.ListRevisionsResponse:
            limit = min(request.limit or _REVISIONS, _MAX_REVISIONS)
            revisions = await self._operations.revisions(before=request.before or None, limit=limit)
            return pb.ListRevisionsResponse(revisions=[messages.revision(item) for item in revisions])

        return await _answer(context, call)

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.ApplyResponse:
        async def call() -> pb.ApplyResponse:
            if request.dry_run:
                planned = await self._operations.plan_rollback(request.revision)
                return pb.ApplyResponse(revision=planned.base_revision, plan=await messages.plan_beside(planned))
            by = Attribution(request.attribution.author or "unnamed", request.attribution.reason)
            return messages.applied(await self._operations.rollback(request.revision, by=by))

        return await _answer(context, call)

    # --- what happens ---

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.Event]:
        with self._events.watcher() as watcher:
            async for event in watcher.events():
                yield messages.event(event)

    async def GetFleetStatus(self, request: pb.GetFleetStatusRequest, context: Context) -> pb.GetFleetStatusResponse:
        return pb.GetFleetStatusResponse(
            revision=self._operations.mesh.revision,
            published_revision=self._published_revision(),
            proxies=[messages.proxy(status) for status in self._fleet.status()],
        )


def _by(attribution: pb.Attribution) -> Attribution:
    return Attribution(attribution.author or "unnamed", attribution.reason)


def _check(check: pb.Check.ValueType) -> Check | None:
    """Who has to take a change; None for the configured one."""
    return {pb.CHECK_NONE: Check.NONE, pb.CHECK_ENVOY: Check.ENVOY}.get(check)


def _kind(kind: str) -> str:
    """A kind by its name, in any case. Raises PolicyError with the known ones."""
    known = {name.lower(): name for _, name in KINDS}
    if kind.lower() not in known:
        raise PolicyError.of(document="kind", got=f'"{kind[:80]}"', want=", ".join(sorted(known.values())))
    return known[kind.lower()]


def _bounded(sentence: str) -> None:
    if len(sentence) > MAX_SENTENCE:
        raise PolicyError.of(document="sentence", got=f"{len(sentence)} characters", want=f"at most {MAX_SENTENCE}")


async def _answer(context: Context, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """The result of `call`, or its error as a gRPC status: translated here and nowhere else."""
    try:
        return await call()
    except PolicyError as error:
        await context.abort_with_status(rpc_status.to_status(_refusal(error)))
    except (ControlPlaneError, IntentError, RegistryError, XdsError) as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        await context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message=str(error))))
    raise AssertionError("an aborted call does not come back")


def _refusal(error: PolicyError) -> status_pb2.Status:
    """A PolicyError as INVALID_ARGUMENT, or FAILED_PRECONDITION where Envoy refuses, with one field violation a
    problem."""
    details = PackedMessage()
    details.Pack(
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=f"{problem.document}: {problem.path}" if problem.path else problem.document,
                    description=f"got {problem.got}, want {problem.want}",
                )
                for problem in error.problems
            ]
        )
    )
    count = len(error.problems)
    summary = str(error.problems[0]) + (f" (and {count - 1} more)" if count > 1 else "")
    code = code_pb2.FAILED_PRECONDITION if isinstance(error, NotAdmittedError) else code_pb2.INVALID_ARGUMENT
    return status_pb2.Status(code=code, message=summary, details=[details])

"""From the control plane's values to the admin API's messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.events import Event, Lost, Published
from controlplane.operations import Applied
from controlplane.proposals import Proposal
from controlplane.redaction import shown_body
from controlplane.rendering import document_yaml, resource_yamls
from controlplane.traffic import ServiceTraffic
from intelligence.intents.forms import form_of
from intelligence.intents.intents import kind_of
from policy.plan import Operation, Plan
from protos.apg.admin.v1 import admin_pb2 as pb
from registry.mesh import Mesh
from registry.model import Document, DocumentKey, Endpoint, Protocol, Revision, Service
from xds.delivery import TypeStatus
from xds.fleet import ClientStatus, Connected, Disconnected, Refused

_OPERATIONS = {
    Operation.ADD: pb.OPERATION_ADD,
    Operation.CHANGE: pb.OPERATION_CHANGE,
    Operation.REMOVE: pb.OPERATION_REMOVE,
}
_PROTOCOLS = {Protocol.HTTP: pb.PROTOCOL_HTTP, Protocol.HTTP2: pb.PROTOCOL_HTTP2}


def timestamp(at: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(at)
    return message


def document_key(key: DocumentKey) -> pb.DocumentKey:
    return pb.DocumentKey(kind=key.kind, namespace=key.namespace, name=key.name)


def document(item: Document, status: dict[str, Any]) -> pb.Document:
    """A document with its conditions."""
    return pb.Document(
        kind=item.kind,
        namespace=item.namespace,
        name=item.name,
        json=shown_body(item),
        status_json=json.dumps(status, separators=(",", ":")),
    )


def service(mesh: Mesh, item: Service) -> pb.ServiceWithEndpoints:
    """A service with all its endpoints."""
    return pb.ServiceWithEndpoints(
        service=pb.Service(
            namespace=item.namespace,
            name=item.name,
            port=item.port,
            protocol=_PROTOCOLS[item.protocol],
            labels=dict(item.labels),
        ),
        endpoints=[_endpoint(endpoint) for endpoint in mesh.endpoints_of(item.key)],
    )


def _endpoint(item: Endpoint) -> pb.Endpoint:
    return pb.Endpoint(
        namespace=item.namespace,
        service=item.service,
        address=item.address,
        port=item.port,
        labels=dict(item.labels),
        weight=item.weight,
    )


def plan(item: Plan, *, texts: bool = True) -> pb.Plan:
    """`texts`: whether Envoy resources are shown as YAML, which takes milliseconds for each, or only named."""
    documents = [
        pb.DocumentDiff(
            operation=_OPERATIONS[Operation.of(change.before, change.after)],
            key=document_key(change.item.key),
            before_yaml=document_yaml(change.before if isinstance(change.before, Document) else None),
            after_yaml=document_yaml(change.after if isinstance(change.after, Document) else None),
        )
        for change in item.changes
        if isinstance(change.item, Document)
    ]
    documents += [
        pb.DocumentDiff(
            operation=_OPERATIONS[Operation.of(change.before, change.after)],
            key=pb.DocumentKey(kind="Service", namespace=change.item.namespace, name=change.item.name),
            before_yaml=_service_yaml(change.before),
            after_yaml=_service_yaml(change.after),
        )
        for change in item.changes
        if isinstance(change.item, Service)
    ]
    resources = [
        pb.ResourceDiff(
            operation=_OPERATIONS[diff.operation],
            group=diff.group,
            type_url=diff.resource.type.type_url,
            name=diff.resource.name,
            before_yaml=before,
            after_yaml=after,
        )
        for diff in item.resources
        for before, after in [resource_yamls(diff.before, diff.after) if texts else ("", "")]
    ]
    return pb.Plan(base_revision=item.base_revision, documents=documents, resources=resources, warnings=item.warnings)


async def plan_beside(item: Plan) -> pb.Plan:
    """`plan`, in a thread: it turns resources into text, some milliseconds for each route, and the loop goes on."""
    return await asyncio.to_thread(plan, item)


def applied(item: Applied) -> pb.ApplyResponse:
    """What a change has done. Its Envoy resources are named and not shown: whoever wants to read them plans."""
    return pb.ApplyResponse(revision=item.revision, changed=item.changed, plan=plan(item.plan, texts=False))


def _service_yaml(item: object) -> str:
    return f"namespace: {item.namespace}\nname: {item.name}\nport: {item.port}\n" if isinstance(item, Service) else ""


def proposal(item: Proposal, *, traffic: Sequence[ServiceTraffic] = ()) -> pb.ProposeResponse:
    """An answer, with the id under which it can be confirmed."""
    answer, understanding = item.answer, item.answer.understanding
    message = pb.ProposeResponse(
        proposal_id=item.id,
        needs=[pb.Need(what=need.what, question=need.question, choices=need.choices) for need in answer.needs],
        refusal=answer.refusal,
        not_understood=answer.not_understood,
        risk=pb.Risk(grade=answer.risk.grade, reasons=answer.risk.reasons, confirm=answer.risk.confirm),
        notes=answer.notes,
        shown=answer.shown,
        services=[str(key) for key in answer.touched],
        traffic=[
            pb.ServiceTraffic(
                service=str(found.service),
                requests_per_second=found.requests_per_second,
                failed_percent=found.failed_percent,
            )
            for found in traffic
        ],
    )
    if understanding is not None:
        message.parser = understanding.parser
        message.understood.extend(understanding.words)
        message.confidence = understanding.confidence
        message.language = understanding.language
        message.intents.extend(
            pb.Intent(
                kind=kind_of(intent),
                words=str(intent),
                confidence=understanding.confidence,
                json=json.dumps(form_of(intent), ensure_ascii=False),
            )
            for intent in understanding.intents
        )
    if answer.plan is not None:
        message.plan.CopyFrom(plan(answer.plan))
    return message


def revision(item: Revision) -> pb.Revision:
    return pb.Revision(
        number=item.number,
        at=timestamp(item.at),
        author=item.author,
        reason=item.reason,
        changes=[str(change) for change in item.changes],
    )


def proxy(status: ClientStatus) -> pb.Proxy:
    client = status.client
    return pb.Proxy(
        node_id=client.node_id,
        group=client.group,
        variant=client.variant,
        user_agent=client.user_agent,
        connected_since=timestamp(client.connected_since),
        types=[_type_status(item) for item in status.types],
        in_sync=status.in_sync,
        known_group=status.known_group,
    )


def _type_status(item: TypeStatus) -> pb.TypeStatus:
    message = pb.TypeStatus(
        type_url=item.type.type_url,
        subscribed=item.subscribed,
        wildcard=item.wildcard,
        sent_version=item.sent,
        acked_version=item.accepted,
    )
    if item.in_flight_since is not None:
        message.unanswered_seconds = max(0.0, time.monotonic() - item.in_flight_since)
    if item.nacked is not None:
        message.nack_version = item.nacked.version
        message.nack_reason = item.nacked.reason
        message.nack_resources.extend(item.nacked.resources)
        message.nack_documents.extend(item.nacked.origins)
    return message


def event(item: Event) -> pb.Event:
    message = pb.Event(at=timestamp(item.at))
    match item.what:
        case Revision() as what:
            message.revision.CopyFrom(revision(what))
        case Published(number, groups):
            message.published.CopyFrom(pb.Published(revision=number, groups=groups))
        case Connected(client):
            message.connected.CopyFrom(pb.ProxyConnected(node_id=client.node_id, group=client.group))
        case Disconnected(client):
            message.disconnected.CopyFrom(pb.ProxyDisconnected(node_id=client.node_id, group=client.group))
        case Refused(client, refusal):
            message.refused.CopyFrom(
                pb.ProxyRefused(
                    node_id=client.node_id,
                    type_url=refusal.type.type_url,
                    version=refusal.nacked.version,
                    resources=refusal.nacked.resources,
                    reason=refusal.nacked.reason,
                    documents=refusal.nacked.origins,
                )
            )
        case Lost(count):
            message.lost.CopyFrom(pb.EventsLost(count=count))
    return message

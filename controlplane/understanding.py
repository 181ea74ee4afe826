"""Findings and provenance for the admin API: requests read, answers as messages."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.errors import NotFoundError
from policy.analysis.analysis import analyze
from policy.analysis.finding import Finding, Severity
from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.provenance import Part, parts
from protos.apg.admin.v1 import admin_pb2 as pb
from registry.mesh import Mesh
from xds.fleet import ClientStatus, Fleet
from xds.resource import Resource
from xds.resource_types import RESOURCE_TYPES, ResourceType
from xds.snapshot import Snapshot

_SEVERITIES = {
    Severity.ERROR: pb.SEVERITY_ERROR,
    Severity.WARNING: pb.SEVERITY_WARNING,
    Severity.INFO: pb.SEVERITY_INFO,
}
_MAX_PARTS = 200
_LISTED = 20


def analyzed(mesh: Mesh, asked: pb.AnalyzeRequest, *, compiler: Compiler) -> pb.AnalyzeResponse:
    """What is worth a look in `mesh`, or in one namespace of it."""
    found = [
        finding
        for finding in analyze(mesh, identities=compiler.identities)
        if asked.namespace in ("", _namespace(finding))
    ]
    return pb.AnalyzeResponse(revision=mesh.revision, findings=[_finding(finding) for finding in found])


def _namespace(finding: Finding) -> str:
    return finding.document.partition(" ")[2].partition("/")[0]


def _finding(finding: Finding) -> pb.Finding:
    return pb.Finding(
        severity=_SEVERITIES[finding.severity],
        check=finding.check,
        document=finding.document,
        path=finding.path,
        words=finding.words,
        advice=finding.advice,
    )


def explained_resources(mesh: Mesh, asked: pb.WhyRequest, *, compiler: Compiler, fleet: Fleet) -> pb.WhyResponse:
    """Where the resources of one name come from.

    Raises:
        NotFoundError: there is no such proxy or group, or it is served nothing of that name.
    """
    snapshots = compiler.compile(mesh)
    group, client = _group(asked.proxy, snapshots, fleet)
    snapshot = snapshots[group]
    resources = _named(snapshot, asked, group)
    # A compiler of its own: that of the control plane is not to follow into meshes that lack a policy.
    own = Compiler(compiler.identities, patches=compiler.patches, lists=compiler.lists)
    own.demand = compiler.demand
    return pb.WhyResponse(
        group=group,
        resources=[
            _resource(resource, list(parts(mesh, group, resource, own)), asked.part, client) for resource in resources
        ],
    )


def _group(proxy: str, snapshots: Mapping[str, Snapshot], fleet: Fleet) -> tuple[str, ClientStatus | None]:
    clients = fleet.status()
    for status in clients:
        if status.client.node_id == proxy:
            if status.client.group not in snapshots:
                raise NotFoundError(f"{proxy} is of {status.client.group}, which is served nothing")
            return status.client.group, status
    if proxy in snapshots:
        return proxy, None
    known = sorted([*(status.client.node_id for status in clients), *snapshots])
    raise NotFoundError(f"no proxy or group {proxy[:100]}: there is {_shown(known)}")


def _named(snapshot: Snapshot, asked: pb.WhyRequest, group: str) -> list[Resource]:
    types = [_type(asked.type)] if asked.type else list(RESOURCE_TYPES)
    found = [resource for type in types if (resource := snapshot.get(type, asked.resource)) is not None]
    if not found:
        known = sorted({name for type in types for name in snapshot.resources(type)})
        raise NotFoundError(f"{group} is served no {asked.type or 'resource'} {asked.resource[:100]}: {_shown(known)}")
    return found


def _type(short: str) -> ResourceType:
    by_short = {type.short: type for type in RESOURCE_TYPES}
    if short.upper() not in by_short:
        raise PolicyError.of(document="request", path="type", got=f'"{short[:20]}"', want=", ".join(by_short))
    return by_short[short.upper()]


def _resource(resource: Resource, found: list[Part], wanted: str, client: ClientStatus | None) -> pb.ExplainedResource:
    fitting = [part for part in found if wanted in part.place or wanted in part.document]
    return pb.ExplainedResource(
        type_url=resource.type.type_url,
        name=resource.name,
        version=resource.version,
        documents=resource.origin,
        parts=[
            pb.ResourcePart(place=part.place, document=part.document, path=part.path, step=part.step)
            for part in fitting[:_MAX_PARTS]
        ],
        parts_left_out=max(0, len(fitting) - _MAX_PARTS),
        state=_state(resource, client),
    )


def _state(resource: Resource, client: ClientStatus | None) -> str:
    """How the proxy takes the resource's type."""
    if client is None:
        return ""
    status = next((status for status in client.types if status.type is resource.type), None)
    if status is None:
        return "not asked for"
    if status.nacked is not None and resource.name in status.nacked.resources:
        return f"refused: {status.nacked.reason}"
    return "acked" if status.in_sync else "sent"


def _shown(names: list[str]) -> str:
    return (", ".join(names[:_LISTED]) or "none") + (", …" if len(names) > _LISTED else "")

"""Whether services speak what policies ask of them: gRPC needs HTTP/2."""

from __future__ import annotations

from collections.abc import Iterator

from policy.backend_policy import BackendPolicy
from policy.backends import Backend, standing
from policy.documents import Documents
from policy.errors import Problem
from policy.telemetry_policy import TelemetryPolicy
from registry.mesh import Mesh
from registry.model import Protocol, ServiceKey


def protocol_findings(mesh: Mesh, documents: Documents) -> Iterator[Problem]:
    """What is wrong with the services that telemetry is sent to, or that are checked by gRPC. mesh: with the services
    outside."""
    for policy in documents.all(TelemetryPolicy):
        for where, ref in policy.backend_refs():
            backend = standing(mesh, namespace=ref.namespace or policy.key.namespace, name=ref.name)
            if backend is not None and _speaks_http1(mesh, documents, backend):
                want = "a service of protocol http2: OTLP is sent by gRPC"
                yield Problem(str(policy.key), where, _words(backend), want)
    for check in documents.all(BackendPolicy):
        if check.spec.health_check is None or check.spec.health_check.grpc is None:
            continue
        for target in check.targets():
            backend = Backend(ServiceKey(target.namespace, target.name), target.section)
            if _speaks_http1(mesh, documents, backend):
                want = "http or tcp, or the service to be of protocol http2: gRPC needs it"
                yield Problem(str(check.key), "spec.healthCheck.grpc", _words(backend), want)


def _speaks_http1(mesh: Mesh, documents: Documents, backend: Backend) -> bool:
    """A service that does not exist, which is told elsewhere, speaks nothing."""
    service = mesh.services.get(backend.service)
    if service is None:
        return False
    reach = documents.attachments.on_backend(backend).one(BackendPolicy)
    if reach is not None and reach.spec.protocol is not None:
        return reach.spec.protocol == "HTTP1"
    return service.protocol is Protocol.HTTP


def _words(backend: Backend) -> str:
    return f"{backend}, which is spoken to in HTTP/1"

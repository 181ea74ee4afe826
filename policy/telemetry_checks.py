"""Whether the collectors that TelemetryPolicies name can be spoken to."""

from __future__ import annotations

from collections.abc import Iterator

from policy.backend_policy import BackendPolicy
from policy.backends import standing
from policy.documents import Documents
from policy.errors import Problem
from policy.telemetry_policy import TelemetryPolicy
from registry.mesh import Mesh
from registry.model import Protocol


def telemetry_findings(mesh: Mesh, documents: Documents) -> Iterator[Problem]:
    """What is wrong with the services that telemetry is sent to. mesh: with the services outside."""
    for policy in documents.all(TelemetryPolicy):
        for where, ref in policy.backend_refs():
            backend = standing(mesh, namespace=ref.namespace or policy.key.namespace, name=ref.name)
            if backend is None or backend.service not in mesh.services:
                continue  # said already
            reach = documents.attachments.on_backend(backend).one(BackendPolicy)
            spoken = reach.spec.protocol if reach is not None else None
            if (spoken is None and mesh.services[backend.service].protocol is not Protocol.HTTP2) or spoken == "HTTP1":
                got = f"{backend}, which is spoken to in HTTP/1"
                yield Problem(str(policy.key), where, got, "a service of protocol http2: OTLP is sent by gRPC")

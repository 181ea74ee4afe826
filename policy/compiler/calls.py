"""How filters call servers: which cluster, and under which name."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import GrpcService, GrpcServiceEnvoyGrpc, HttpUri

from policy.compiler.inputs import ExternalHost, Need
from policy.servers import OutsideServer, ServiceReference
from registry.model import Protocol, ServiceKey


def service(ref: ServiceReference, *, home: str) -> ServiceKey:
    """The service that a document of the namespace `home` means."""
    return ServiceKey(ref.namespace or home, ref.name)


def outside(server: OutsideServer, *, protocol: Protocol = Protocol.HTTP) -> ExternalHost:
    """The host outside the mesh that a document means."""
    return ExternalHost(
        server.host, server.port, tls=not server.plaintext, ca=server.ca_certificates, protocol=protocol
    )


def cluster_of(need: Need) -> str:
    """The name of the cluster that is made for `need`."""
    return need.name if isinstance(need, ExternalHost) else str(need)


def grpc(need: Need, *, timeout: timedelta) -> GrpcService:
    """Calls of a gRPC server. The cluster's own name, which Envoy would send, is no host."""
    return GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=cluster_of(need), authority=_host(need)), timeout=timeout
    )


def http(need: Need, *, path: str, timeout: timedelta) -> HttpUri:
    """Calls of an HTTP server. Envoy takes host and path from the URI, and everything else from the cluster."""
    scheme = "https" if isinstance(need, ExternalHost) and need.tls else "http"
    return HttpUri(uri=f"{scheme}://{_host(need)}{path}", cluster=cluster_of(need), timeout=timeout)


def _host(need: Need) -> str:
    return need.host if isinstance(need, ExternalHost) else f"{need.name}.{need.namespace}"

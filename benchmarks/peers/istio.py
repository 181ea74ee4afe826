"""The content as Istio's documents: a Gateway, a VirtualService for each host, a ServiceEntry for each service.

No Service with EndpointSlices: Kubernetes takes no endpoints on loopback. Both become the same clusters in an Envoy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.content import ADDRESSES, GATEWAY, SERVICE_PORT, Host, location

_VERSION = "networking.istio.io/v1"
NAMESPACE = "default"
LABELS = {"istio": GATEWAY}  # of the proxies that the Gateway selects


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and the resource of the API server that it belongs to."""

    resource: str
    name: str
    body: Mapping[str, Any]

    @property
    def collection(self) -> str:
        """The path that it is posted to."""
        return f"/apis/{_VERSION}/namespaces/{NAMESPACE}/{self.resource}"


def gateway(port: int) -> Document:
    server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": "127.0.0.1", "hosts": ["*"]}
    return _document("gateways", "Gateway", GATEWAY, {"selector": LABELS, "servers": [server]})


def changing(version: int) -> Document:
    return _document("virtualservices", "VirtualService", "changing", changed(version))


def changed(version: int) -> Mapping[str, Any]:
    """The part of `changing` that differs from version to version, and all around it: its spec."""
    return _routes("*", [{"redirect": {"uri": location(version), "redirectCode": 302}}])


def routes(host: Host) -> Document:
    destination = {"host": _name(host), "port": {"number": SERVICE_PORT}}
    rules = [{"match": [{"uri": {"prefix": path}}], "route": [{"destination": destination}]} for path in host.paths]
    return _document("virtualservices", "VirtualService", host.name, _routes(host.domain, rules))


def service(host: Host, port: int) -> Document:
    spec = {
        "hosts": [_name(host)],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": SERVICE_PORT, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": address, "ports": {"http": port}} for address in ADDRESSES],
    }
    return _document("serviceentries", "ServiceEntry", host.service, spec)


def _name(host: Host) -> str:
    return f"{host.service}.bench.local"


def _routes(domain: str, rules: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"hosts": [domain], "gateways": [GATEWAY], "http": rules}


def _document(resource: str, kind: str, name: str, spec: Mapping[str, Any]) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    return Document(resource, name, {"apiVersion": _VERSION, "kind": kind, "metadata": metadata, "spec": spec})

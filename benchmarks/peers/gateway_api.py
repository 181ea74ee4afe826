"""The content as documents of Gateway API: what we read and what Envoy Gateway reads differ in the kind of the services
that routes lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from benchmarks.peers.content import ADDRESSES, GATEWAY, SERVICE_PORT, Host, location

Document = Mapping[str, Any]

_GATEWAY_API = "gateway.networking.k8s.io/v1"
_ENVOY_GATEWAY = "gateway.envoyproxy.io"
_CLASS = "eg"


def text(documents: Iterable[Document]) -> str:
    """YAML, a document after the other."""
    return yaml.dump_all(documents, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)


def changing(version: int) -> Document:
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": location(version)}}
    return _route("changing", [{"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}])


def our_gateway(port: int) -> Document:
    listener = {"name": "http", "protocol": "HTTP", "port": port}
    spec = {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}], "listeners": [listener]}
    return _document(_GATEWAY_API, "Gateway", GATEWAY, spec)


def our_routes(host: Host) -> Document:
    return _routes(host, {"name": host.service, "port": SERVICE_PORT})


def their_gateway(port: int) -> list[Document]:
    """Envoy Gateway's: it listens on all addresses, and there is no field to say otherwise."""
    controller = f"{_ENVOY_GATEWAY}/gatewayclass-controller"
    spec = {"gatewayClassName": _CLASS, "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}
    return [
        _document(_GATEWAY_API, "GatewayClass", _CLASS, {"controllerName": controller}),
        _document(_GATEWAY_API, "Gateway", GATEWAY, spec),
    ]


def their_routes(host: Host) -> Document:
    return _routes(host, {"group": _ENVOY_GATEWAY, "kind": "Backend", "name": host.service})


def their_service(host: Host, port: int) -> Document:
    """A Backend: Envoy Gateway reads neither Services nor EndpointSlices from files."""
    endpoints = [{"ip": {"address": address, "port": port}} for address in ADDRESSES]
    return _document(f"{_ENVOY_GATEWAY}/v1alpha1", "Backend", host.service, {"endpoints": endpoints})


def _routes(host: Host, backend: Document) -> Document:
    rules = [
        {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [backend]} for path in host.paths
    ]
    return _route(host.name, rules, domain=host.domain)


def _route(name: str, rules: Sequence[Document], *, domain: str | None = None) -> Document:
    domains = {"hostnames": [domain]} if domain else {}
    return _document(_GATEWAY_API, "HTTPRoute", name, {"parentRefs": [{"name": GATEWAY}], **domains, "rules": rules})


def _document(version: str, kind: str, name: str, spec: Document) -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}

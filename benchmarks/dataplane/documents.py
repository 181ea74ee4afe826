"""What our control plane is told: two gateways, of which one has ten policies, and services behind sidecars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.fortio import Speaks

SERVICES = {Speaks.HTTP1: "web", Speaks.HTTP2: "web2", Speaks.GRPC: "rpc"}
"""The service for what the client speaks; that is spoken to it, too."""

GUARDED, TLS = "guarded-", "tls-"
"""What the names of services with policies, and of those with mutual TLS, begin with."""

CALLER = "caller"
KEY = "benchmark-key-0123456789abcdef"
"""The API key that the guarded gateway asks for, in the header x-api-key."""

TEN = (
    *("AuthenticationPolicy", "AuthorizationPolicy", "BackendPolicy", "CompressionPolicy", "FaultPolicy"),
    *("RateLimitPolicy", "RetryPolicy", "TelemetryPolicy", "ThreatPolicy", "TimeoutPolicy"),
)


def joined(documents: Sequence[dict[str, Any]]) -> bytes:
    """As one text: JSON is YAML."""
    return "\n---\n".join(json.dumps(document) for document in documents).encode()


def gateway(name: str, port: int, services: Sequence[str]) -> list[dict[str, Any]]:
    """A Gateway on loopback's `port` with a host NAME.example for each service NAME."""
    api = "gateway.networking.k8s.io/v1"
    spec: dict[str, Any] = {
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "listeners": [{"name": "http", "protocol": "HTTP", "port": port}],
    }
    made = [{"apiVersion": api, "kind": "Gateway", "metadata": {"name": name}, "spec": spec}]
    for service in services:
        route = {
            "parentRefs": [{"name": name}],
            "hostnames": [f"{service}.example"],
            "rules": [{"backendRefs": [{"name": service}]}],
        }
        made.append({"apiVersion": api, "kind": "HTTPRoute", "metadata": {"name": f"{name}-{service}"}, "spec": route})
    return made


def sidecar(name: str, *, inbound: int, application: int, outbound: int, calls: Sequence[str]) -> dict[str, Any]:
    spec = {
        "inbound": {"address": "127.0.0.1", "port": inbound, "application": application},
        "outbound": {"port": outbound},
        "dependencies": [{"name": called} for called in calls],
    }
    return _policy("Sidecar", name, spec)


def mutual_tls(services: Sequence[str]) -> dict[str, Any]:
    """Whoever calls one of `services` shows a certificate, and gets to see theirs."""
    targets = [{"kind": "Service", "name": service} for service in services]
    return _policy("AuthenticationPolicy", "mutual-tls", {"targetRefs": targets, "mutualTls": {"mode": "Strict"}})


def ten_policies(gateway_name: str, services: Sequence[str]) -> list[dict[str, Any]]:
    """One of each of `TEN`, all of them looked at by each request; none refuses or delays those of the benchmark."""
    to_gateway = {"targetRefs": [{"kind": "Gateway", "name": gateway_name}]}
    to_services = {"targetRefs": [{"kind": "Service", "name": service} for service in services]}
    over = (datetime.now(UTC) + timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    specs: dict[str, dict[str, Any]] = {
        "AuthenticationPolicy": {
            **to_gateway,
            "apiKeys": {"clients": [{"name": "benchmark", "key": KEY}], "from": [{"header": "x-api-key"}]},
        },
        "AuthorizationPolicy": {
            **to_gateway,
            "action": "Allow",
            "rules": [{"name": "all", "methods": ["GET", "POST"], "addresses": ["127.0.0.0/8"]}],
        },
        "BackendPolicy": {
            **to_services,
            "circuitBreakers": {"connections": 1000, "pendingRequests": 1000, "requests": 1000, "retries": 10},
            "outlierDetection": {"consecutiveErrors": 5, "ejectionTime": "30s"},
        },
        "CompressionPolicy": {**to_gateway, "encodings": ["Gzip"], "minimumBytes": 2048},
        "FaultPolicy": {
            **to_gateway,
            "expiresAt": over,
            "headers": [{"name": "x-chaos", "value": "yes"}],
            "abort": {"percent": 100, "status": 503},
        },
        "RateLimitPolicy": {**to_gateway, "limits": [{"name": "all", "requests": 1_000_000, "per": "1s"}]},
        "RetryPolicy": {**to_gateway, "attempts": 2, "perTryTimeout": "5s"},
        "TelemetryPolicy": {
            **to_gateway,
            "accessLog": {"sinks": [{"type": "Stdout"}], "minimumStatus": 400},
        },
        "ThreatPolicy": {**to_gateway, "bounds": {"bodyBytes": 65536}},
        "TimeoutPolicy": {**to_gateway, "request": "10s", "idle": "5s"},
    }
    return [_policy(kind, "ten", specs[kind]) for kind in TEN]


def _policy(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "apg.mesh/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}

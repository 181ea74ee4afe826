"""The mesh that control plane benchmarks serve: a Gateway, hosts with ten routes each, services behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.plane import Plane

GATEWAY = "bench"
GROUP = f"default/{GATEWAY}"
_API = "gateway.networking.k8s.io/v1"
_CHANGES = 10**8


def gateway(port: int) -> bytes:
    """The Gateway, on loopback's `port`."""
    spec: dict[str, Any] = {
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "listeners": [{"name": "http", "protocol": "HTTP", "port": port}],
    }
    return _document("Gateway", GATEWAY, spec)


def routes_name(port: int) -> str:
    """What the route configuration of that port is called."""
    return f"{GROUP}/{port}"


def changing(version: int) -> bytes:
    """The one route that changes: a redirect for all other hosts, which tells its version."""
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": place(version)}}
    rules = [{"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}]
    return _document("HTTPRoute", "changing", {"parentRefs": [{"name": GATEWAY}], "rules": rules})


def place(version: int) -> str:
    """Where the changing route redirects to in that version; eight digits, so that a simulated proxy reads it, too."""
    return f"/change-{version % _CHANGES:08d}"


def others(count: int, services: Sequence[str]) -> list[bytes]:
    """`count` routes beside it, ten for each host, to `services` in turn."""
    made = []
    for number in range(count):
        rule = {
            "matches": [{"path": {"type": "PathPrefix", "value": f"/{number}"}}],
            "backendRefs": [{"name": services[number % len(services)]}],
        }
        spec = {"parentRefs": [{"name": GATEWAY}], "hostnames": [f"host-{number // 10}.example.com"], "rules": [rule]}
        made.append(_document("HTTPRoute", f"other-{number}", spec))
    return made


async def add_services(plane: Plane, count: int) -> list[str]:
    """Registers `count` services with an endpoint each, which nobody asks; their names."""
    names = [f"service-{number}" for number in range(count)]
    for number, name in enumerate(names):
        await plane.add_service(name)
        await plane.add_endpoint(name, 8080, address=f"10.0.{number // 250}.{number % 250 + 1}")
    return names


def _document(kind: str, name: str, spec: dict[str, Any]) -> bytes:
    return json.dumps({"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": spec}).encode()

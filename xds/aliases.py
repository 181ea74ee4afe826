"""Which resource a name leads to that is not its own: the hosts of virtual hosts, as Envoy looks them up.

An alias is "OWNER/DOMAIN", and a domain may be a pattern (envoy.config.route.v3.VirtualHost.domains).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def resolve(name: str, aliases: Mapping[str, T]) -> T | None:
    """What `name` ("OWNER/HOST") leads to, in Envoy's order: the exact domain, the longest suffix ("*.example.com",
    "*-x.example.com"), the longest prefix ("example.*"), then "*". A host with a port that leads nowhere is looked up
    without it, as Envoy does with `ignore_port_in_host_matching`."""
    if not aliases:
        return None
    owner, slash, host = name.rpartition("/")
    found = _resolve(f"{owner}{slash}", host, aliases)
    if found is None and ":" in host:
        bare, _, port = host.rpartition(":")
        if port.isdigit():
            return _resolve(f"{owner}{slash}", bare, aliases)
    return found


def _resolve(owner: str, host: str, aliases: Mapping[str, T]) -> T | None:
    length = len(host)
    candidates = (
        host,
        *(f"*{host[start:]}" for start in range(1, length)),
        *(f"{host[:end]}*" for end in range(length - 1, 0, -1)),
        "*",
    )
    return next((aliases[owner + candidate] for candidate in candidates if owner + candidate in aliases), None)

"""What the builders make resources of: frozen values, cheap to hash, so that each is also what its resource is
remembered under. A builder sees nothing else, so equal inputs mean equal bytes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from policy.backends import Backend
from policy.effective import Effective
from policy.http_route import HTTPRoute, HTTPRouteRule
from registry.model import Protocol, ServiceKey


@dataclass(frozen=True, slots=True)
class RoutedRule:
    """A rule of a route as one listener serves it. backends: its backendRefs, resolved, in their order. mirrors: those
    of its RequestMirror filters."""

    route: HTTPRoute
    index: int
    backends: tuple[Backend, ...]
    policies: Effective
    mirrors: tuple[Backend, ...] = ()

    @property
    def rule(self) -> HTTPRouteRule:
        return self.route.spec.rules[self.index]


@dataclass(frozen=True, slots=True)
class RoutedHost:
    """A hostname ("*": any other) with all rules that requests for it may meet, in the order of their documents."""

    hostname: str
    rules: tuple[RoutedRule, ...]


@dataclass(frozen=True, slots=True)
class HttpListener:
    """A port of a Gateway. asked: per HTTP filter in the chain, by name, what rules ask of it, without repetition."""

    name: str
    addresses: tuple[str, ...]
    port: int
    policies: Effective
    asked: tuple[tuple[str, tuple[Hashable, ...]], ...]


@dataclass(frozen=True, slots=True)
class ReachedBackend:
    """A service, or a version of one, that requests go to."""

    backend: Backend
    protocol: Protocol
    policies: Effective

    @property
    def name(self) -> str:
        return str(self.backend)


@dataclass(frozen=True, slots=True)
class ExternalHost:
    """A server outside the mesh that a filter calls, found by DNS. With TLS, its certificate must be for `host` and
    signed by one of the authorities in `ca` (PEM), or, without that, one that the proxy's machine trusts."""

    host: str
    port: int
    tls: bool = True
    ca: str | None = None
    protocol: Protocol = Protocol.HTTP

    @property
    def name(self) -> str:
        """The cluster's."""
        text = f"external/{self.host}:{self.port}"
        if not self.tls:
            text += "/plain"
        if self.protocol is not Protocol.HTTP:
            text += f"/{self.protocol.value}"
        return text + (f"/{blake2b(self.ca.encode(), digest_size=4).hexdigest()}" if self.ca is not None else "")


Need: TypeAlias = ServiceKey | ExternalHost
"""A cluster that a filter calls: a backend by the name that a backendRef has for it, or a host outside."""

"""What the builders make resources of: frozen values, cheap to hash, so that each is also what its resource is
remembered under. A builder sees nothing else, so equal inputs mean equal bytes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

from policy.backends import Backend
from policy.effective import Effective
from policy.grpc_route import GRPCRoute
from policy.http_route import HTTPRoute, HTTPRouteRule
from policy.identities import Identity
from registry.model import Protocol, ServiceKey


class Kept:
    """What was made of a rule or host, so that it is made once: it lives as long as the value does. What `encoded` is
    of which type, the builder of routes knows."""

    __slots__ = ("asked", "backends", "encoded", "origins")

    def __init__(self) -> None:
        self.asked: tuple[tuple[str, tuple[Hashable, ...]], ...] | None = None
        self.backends: frozenset[Backend] | None = None
        self.origins: tuple[str, ...] | None = None
        self.encoded: Any = None


@dataclass(frozen=True, slots=True)
class RoutedRule:
    """A rule of a route as one listener serves it.

    backends: its backendRefs, resolved, in their order. mirrors: those of its RequestMirror filters.
    leaves_mesh: whether some of them are outside, and are to be asked for by their own names.
    implied: whether nobody wrote the route: it is what a service of its name has for its callers.
    on_demand: whether a request may have waited for it (`HttpListener.on_demand`).
    redirect_port: what its redirect has to say; None: nothing, since there is none or the scheme is known for it.
    """

    route: HTTPRoute | GRPCRoute
    index: int
    backends: tuple[Backend, ...]
    policies: Effective
    mirrors: tuple[Backend, ...] = ()
    leaves_mesh: bool = False
    implied: bool = False
    on_demand: bool = False
    redirect_port: int | None = None
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @property
    def origin(self) -> str:
        """What says so, in words."""
        return f"Service {ServiceKey(*self.route.key[1:])}" if self.implied else str(self.route.key)

    @property
    def rule(self) -> HTTPRouteRule:
        return self.route.http_rules[self.index]


@dataclass(frozen=True, slots=True)
class RoutedHost:
    """A hostname ("*": any other) with all rules that requests for it may meet, in the order of their documents.
    aliases: further names for it."""

    hostname: str
    rules: tuple[RoutedRule, ...]
    aliases: tuple[str, ...] = ()
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @property
    def backends(self) -> frozenset[Backend]:
        """All backends that its rules send or mirror requests to."""
        if self.kept.backends is None:
            self.kept.backends = frozenset(
                backend for rule in self.rules for backend in (*rule.backends, *rule.mirrors)
            )
        return self.kept.backends

    @property
    def origins(self) -> tuple[str, ...]:
        """The documents that its rules and their policies come from, each once, in their order."""
        if self.kept.origins is None:
            words = (word for rule in self.rules for word in (rule.origin, *rule.policies.origins))
            self.kept.origins = tuple(dict.fromkeys(words))
        return self.kept.origins


@dataclass(frozen=True, slots=True)
class HttpListener:
    """What one HTTP connection manager serves: a plain port, or one listener of a TLS port. `name` is that of its route
    configuration.

    asked: per HTTP filter whose configuration depends on it, by name, what rules ask of it, without repetition.
    server_names: the names asked for by SNI that it is for; none means any other.
    certificates: with any, TLS ends here. clients: whose authorities a client's certificate must come from, if it must
        show one.
    on_demand: whether a host that it does not know is asked for (by VHDS) when a request for it comes.
    """

    name: str
    policies: Effective
    asked: tuple[tuple[str, tuple[Hashable, ...]], ...]
    server_names: tuple[str, ...] = ()
    certificates: tuple[Identity, ...] = ()
    clients: Identity | None = None
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class StreamListener:
    """What one TCP proxy carries: the connections of one TCPRoute or TLSRoute, to `targets` by weight. `name` is for
    statistics; the others as above."""

    name: str
    targets: tuple[tuple[Backend, int], ...]
    policies: Effective
    server_names: tuple[str, ...] = ()
    certificates: tuple[Identity, ...] = ()
    clients: Identity | None = None


@dataclass(frozen=True, slots=True)
class BoundPort:
    """An Envoy listener: a port of a Gateway or a sidecar, on `addresses` (all of the machine's, if there are none)."""

    name: str
    addresses: tuple[str, ...]
    port: int
    chains: tuple[HttpListener | StreamListener, ...]

    @property
    def reads_server_names(self) -> bool:
        """Whether which chain a connection meets depends on its SNI."""
        return any(chain.server_names or chain.certificates for chain in self.chains)

    @property
    def takes_plain(self) -> bool:
        """Whether a chain of it is for connections without TLS."""
        return any(not (chain.server_names or chain.certificates) for chain in self.chains)


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to a server. sni: the name that is asked for. names, uris: of which the certificate must have one (the SNI,
    if there are none). trust: whose authorities are believed; None: PEM in `ca`, or those of the proxy's machine.
    identity: who the proxy itself proves to be, if anybody."""

    sni: str
    names: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    trust: Identity | None = None
    ca: str | None = None
    identity: Identity | None = None


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


@dataclass(frozen=True, slots=True)
class ReachedBackend:
    """A service, or a version of one, that requests go to.

    tls: how connections to it are protected; None: not at all.
    address: where DNS finds it, if it is outside the mesh; its endpoints come by EDS otherwise.
    trusted: False where it must prove who it is and the authorities that could say so are not known: then nobody is
        connected to it.
    """

    backend: Backend
    protocol: Protocol
    policies: Effective
    tls: Tls | None = None
    address: tuple[str, int] | None = None
    trusted: bool = True

    @property
    def name(self) -> str:
        return str(self.backend)


Need: TypeAlias = ServiceKey | ExternalHost
"""A cluster that a filter calls: a backend by the name that a backendRef has for it, or a host outside."""

"""Gateway (Gateway API v1): where proxies listen, with which protocol and certificates."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from policy.shapes import LIST, BaseDocument, Hostname, NamespaceName, ObjectName, Port, Shape


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address") from None


def _served(value: object) -> object:
    if value == "UDP":
        raise ValueError("HTTP, HTTPS, TLS or TCP: UDP is not served yet")
    return value


class RouteNamespaces(Shape):
    from_: Literal["Same", "All"] = Field(default="Same", alias="from")


class RouteGroupKind(Shape):
    group: Literal["gateway.networking.k8s.io"] = "gateway.networking.k8s.io"
    kind: Literal["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]


class AllowedRoutes(Shape):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: Annotated[tuple[RouteGroupKind, ...], LIST, Field(max_length=8)] = ()


class SecretObjectReference(Shape):
    """A certificate chain with its key: an identity (policy/identities.py)."""

    group: Literal[""] = ""
    kind: Literal["Secret"] = "Secret"
    name: ObjectName
    namespace: NamespaceName | None = None


class ListenerTLS(Shape):
    """Terminate: the proxy is the server of `certificateRefs`. Passthrough: the backend is."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: Annotated[tuple[SecretObjectReference, ...], LIST, Field(max_length=8)] = ()

    @model_validator(mode="after")
    def _certificates_where_tls_ends(self) -> ListenerTLS:
        if self.mode == "Terminate" and not self.certificate_refs:
            raise ValueError("certificateRefs for the mode Terminate")
        if self.mode == "Passthrough" and self.certificate_refs:
            raise ValueError("no certificateRefs for the mode Passthrough: the backend has the certificate")
        return self


_ROUTES: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("HTTP", None): ("HTTPRoute", "GRPCRoute"),
    ("HTTPS", "Terminate"): ("HTTPRoute", "GRPCRoute"),
    ("TLS", "Passthrough"): ("TLSRoute",),
    ("TLS", "Terminate"): ("TLSRoute",),
    ("TCP", None): ("TCPRoute",),
}
"""The kinds of route that fit a protocol and a TLS mode."""


class Listener(Shape):
    """A port, and the hostname that it serves (all, if there is none)."""

    name: ObjectName
    port: Port
    protocol: Annotated[Literal["HTTP", "HTTPS", "TLS", "TCP"], BeforeValidator(_served)]
    hostname: Hostname | None = None
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()

    @model_validator(mode="after")
    def _fits_its_protocol(self) -> Listener:
        """Gateway API, Listener: what belongs to which protocol."""
        if self.protocol in ("HTTPS", "TLS") and self.tls is None:
            raise ValueError(f"tls for the protocol {self.protocol}")
        if self.protocol in ("HTTP", "TCP") and self.tls is not None:
            raise ValueError(f"no tls for the protocol {self.protocol}, or the protocol {_WITH_TLS[self.protocol]}")
        if self.protocol == "TCP" and self.hostname is not None:
            raise ValueError("no hostname for the protocol TCP: connections do not name one")
        if self.protocol == "HTTPS" and self.tls is not None and self.tls.mode != "Terminate":
            raise ValueError("the mode Terminate for HTTPS, or the protocol TLS")
        fitting = _ROUTES[self.protocol, self.tls.mode if self.tls is not None else None]
        for item in self.allowed_routes.kinds:
            if item.kind not in fitting:
                raise ValueError(f"allowedRoutes.kinds among {', '.join(fitting)} for {self.protocol}")
        return self

    @property
    def route_kinds(self) -> tuple[str, ...]:
        """The kinds of route that may attach."""
        allowed = {item.kind for item in self.allowed_routes.kinds}
        fitting = _ROUTES[self.protocol, self.tls.mode if self.tls is not None else None]
        return tuple(kind for kind in fitting if not allowed or kind in allowed)

    @property
    def is_http(self) -> bool:
        return self.protocol in ("HTTP", "HTTPS")

    @property
    def allows_all_namespaces(self) -> bool:
        return self.allowed_routes.namespaces.from_ == "All"


_WITH_TLS = {"HTTP": "HTTPS", "TCP": "TLS"}
_SHARED_PORT = {"HTTP": "HTTP", "HTTPS": "TLS", "TLS": "TLS", "TCP": "TCP"}
"""Protocols of which several listeners can share a port, told apart by hostname: HTTPS and TLS by SNI."""


class GatewayAddress(Shape):
    type: Literal["IPAddress"] = "IPAddress"
    value: Annotated[str, AfterValidator(_ip_address)]


class GatewaySpec(Shape):
    gateway_class_name: ObjectName = "apg"
    listeners: Annotated[tuple[Listener, ...], LIST, Field(min_length=1, max_length=64)]
    addresses: Annotated[tuple[GatewayAddress, ...], LIST, Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> GatewaySpec:
        """Gateway API, Listener: names are unique, and so are combinations of port, protocol and hostname."""
        names = [listener.name for listener in self.listeners]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"listeners with names of their own, and {twice[0]} is there twice")
        protocols: dict[int, str] = {}
        for listener in self.listeners:
            protocol = _SHARED_PORT[listener.protocol]
            if protocols.setdefault(listener.port, protocol) != protocol:
                raise ValueError(
                    f"listeners that can share a port (HTTP; or HTTPS and TLS; one TCP), and port {listener.port} has "
                    f"{protocols[listener.port]} and {listener.protocol}"
                )
        places = [(listener.port, listener.hostname) for listener in self.listeners]
        for port, hostname in places:
            if places.count((port, hostname)) > 1:
                raise ValueError(
                    f"one listener for each port and hostname, and port {port}, {hostname or 'any host'} has two"
                )
        return self


class Gateway(BaseDocument):
    """A group of proxies that listen alike."""

    KIND: ClassVar[str] = "Gateway"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"

    api_version: Literal["gateway.networking.k8s.io/v1"] = "gateway.networking.k8s.io/v1"
    kind: Literal["Gateway"] = "Gateway"
    spec: GatewaySpec

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to listen on; none means all of the machine's."""
        return tuple(address.value for address in self.spec.addresses)

"""Gateway (Gateway API v1): where proxies listen. HTTP only, for now."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from policy.shapes import LIST, BaseDocument, Hostname, ObjectName, Port, Shape


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address") from None


def _served(value: object) -> object:
    if value in ("HTTPS", "TLS", "TCP", "UDP"):
        raise ValueError(f"HTTP: {value} is not served yet")
    return value


class RouteNamespaces(Shape):
    from_: Literal["Same", "All"] = Field(default="Same", alias="from")


class AllowedRoutes(Shape):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()


class Listener(Shape):
    """A port, and the hostname that it serves (all, if there is none)."""

    name: ObjectName
    port: Port
    protocol: Annotated[Literal["HTTP"], BeforeValidator(_served)]
    hostname: Hostname | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()

    @property
    def allows_all_namespaces(self) -> bool:
        return self.allowed_routes.namespaces.from_ == "All"


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

"""Sidecar: the proxies beside the instances of one service: what comes in, and what the service may call."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from policy.shapes import LIST, BaseDocument, NamespaceName, ObjectName, Port, Shape


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address") from None


IPAddress = Annotated[str, AfterValidator(_ip_address)]


class Inbound(Shape):
    """Where the proxy takes what comes for the service, and the port of loopback where the application listens."""

    address: IPAddress = "0.0.0.0"  # noqa: S104  # others are meant to reach it
    port: Port = 15006
    application: Port
    protocol: Literal["HTTP", "TCP"] = "HTTP"


class Dependency(Shape):
    """A service that may be called, by its name as the host of HTTP requests. tcpPort: whole connections to that port
    of the proxy go there, too."""

    name: ObjectName
    namespace: NamespaceName | None = None
    tcp_port: Port | None = None

    @property
    def port(self) -> None:
        """The service's own: callers name none."""


class Outbound(Shape):
    """Where the application finds its proxy. undeclared: what becomes of a call to a service that is no dependency, but
    that the sidecar may name: it is looked for when somebody calls it, or refused with 404."""

    address: IPAddress = "127.0.0.1"
    port: Port = 15001
    undeclared: Literal["OnDemand", "Refuse"] = "OnDemand"


class SidecarSpec(Shape):
    inbound: Inbound
    outbound: Outbound = Outbound()
    dependencies: Annotated[tuple[Dependency, ...], LIST, Field(max_length=256)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> SidecarSpec:
        named = [(dependency.namespace, dependency.name) for dependency in self.dependencies]
        if twice := next((name for name in named if named.count(name) > 1), None):
            raise ValueError(f"each dependency once, and {twice[1]} is there twice")
        taken = [self.inbound.port, self.inbound.application, self.outbound.port]
        taken += [dependency.tcp_port for dependency in self.dependencies if dependency.tcp_port is not None]
        if double := next((port for port in taken if taken.count(port) > 1), None):
            raise ValueError(
                f"ports of their own for inbound, application, outbound and tcpPort, and {double} is twice"
            )
        return self


class Sidecar(BaseDocument):
    """The sidecars of the service of the same name."""

    KIND: ClassVar[str] = "Sidecar"
    API_VERSION: ClassVar[str] = "apg.mesh/v1"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["Sidecar"] = "Sidecar"
    spec: SidecarSpec

    def backend_refs(self) -> Iterator[tuple[str, Dependency]]:
        """Its dependencies, each with its path in the document."""
        for index, dependency in enumerate(self.spec.dependencies):
            yield f"spec.dependencies[{index}]", dependency

"""ExternalService: a server outside the mesh, found by DNS, under the name of a service that routes can lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from policy.backend_tls import CACertificateRef
from policy.errors import Problem
from policy.identities import Identity
from policy.shapes import LIST, BaseDocument, Port, PreciseHostname, Shape
from registry.mesh import Mesh
from registry.model import Protocol, Service, ServiceKey, is_ip_address


class ExternalTLS(Shape):
    """TLS begins at the proxy. sni: the name that is asked for and must be in the certificate (`host`, without it).
    Without `caCertificateRefs`, the authorities that the proxy's machine trusts are believed."""

    sni: PreciseHostname | None = None
    ca_certificate_refs: Annotated[tuple[CACertificateRef, ...], LIST, Field(max_length=1)] = ()


class ExternalServiceSpec(Shape):
    """With `tls`, requests that come in plain go out encrypted."""

    host: PreciseHostname
    port: Port = 443
    protocol: Literal["http", "http2"] = "http"
    tls: ExternalTLS | None = None

    @model_validator(mode="after")
    def _names_what_it_proves(self) -> ExternalServiceSpec:
        if self.tls is not None and self.tls.sni is None and is_ip_address(self.host):
            raise ValueError("tls.sni for a host that is an address: its certificate must be for a name")
        return self


class ExternalService(BaseDocument):
    """A name in the mesh for a host outside."""

    KIND: ClassVar[str] = "ExternalService"
    API_VERSION: ClassVar[str] = "apg.mesh/v1"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["ExternalService"] = "ExternalService"
    spec: ExternalServiceSpec

    @property
    def service(self) -> Service:
        """The service that it is to routes and policies."""
        return Service(*self.key[1:], port=self.spec.port, protocol=Protocol(self.spec.protocol))

    def authorities(self) -> Iterator[tuple[str, Identity]]:
        """Whom it believes beside the machine's, with the path in the document."""
        for index, ref in enumerate(self.spec.tls.ca_certificate_refs if self.spec.tls is not None else ()):
            yield f"spec.tls.caCertificateRefs[{index}]", Identity(self.key.namespace, ref.name)


def with_external(mesh: Mesh, external: Iterable[ExternalService]) -> Mesh:
    """`mesh` with a service for each of its ExternalServices; a registered one of the same name comes first."""
    services = {ServiceKey(*item.key[1:]): item.service for item in external}
    if not services:
        return mesh
    return Mesh(mesh.revision, MappingProxyType({**services, **mesh.services}), mesh.endpoints, mesh.documents)


def external_findings(mesh: Mesh, external: Iterable[ExternalService]) -> Iterator[Problem]:
    """Names that are taken. mesh: what is registered, without what is external."""
    for item in external:
        if ServiceKey(*item.key[1:]) in mesh.services:
            got = f"{item.key.name}, which is a registered service"
            yield Problem(str(item.key), "metadata.name", got, "a name of its own, or that service deregistered")

"""Servers that a policy makes proxies call: a service of the mesh, or a host outside."""

from __future__ import annotations

import ssl
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, model_validator

from policy.shapes import NamespaceName, ObjectName, Port, PreciseHostname, Shape

_MAX_PEM = 262_144
_MAX_URL = 2_048


def _pem(value: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)  # also refuses nothing at all
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: characters beyond ASCII
        reason = getattr(error, "reason", None) or error
        raise ValueError(f'certificates as PEM, "-----BEGIN CERTIFICATE-----" and so on: {reason}') from None
    return value


def _https(value: str) -> str:
    try:
        parts = urlsplit(value)
        fits = parts.scheme == "https" and parts.hostname and parts.username is None and not parts.fragment
        parts.port  # noqa: B018  # raises where it is no port
    except ValueError:
        fits = False
    if not fits or any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError('a URL with https, such as "https://accounts.example.com/jwks"')
    return value


CertificateBundle = Annotated[str, StringConstraints(max_length=_MAX_PEM), AfterValidator(_pem)]
"""Certificates of authorities, PEM."""
HttpsUrl = Annotated[str, StringConstraints(max_length=_MAX_URL), AfterValidator(_https)]


class ServiceReference(Shape):
    """A service of the mesh, or a version of one."""

    namespace: NamespaceName | None = None
    name: ObjectName
    port: Port | None = None


class OutsideServer(Shape):
    """A host outside the mesh, found by DNS. Its certificate must be for `host`, signed by one of `ca_certificates`, or
    else by an authority that the proxy's machine trusts. `plaintext`: no TLS at all."""

    host: PreciseHostname
    port: Port
    ca_certificates: CertificateBundle | None = None
    plaintext: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> OutsideServer:
        if self.plaintext and self.ca_certificates is not None:
            raise ValueError("caCertificates or plaintext, not both")
        return self

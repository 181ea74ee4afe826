"""Who proxies are, and whom they trust: the one interface by which certificates come in.

An identity is a namespace and a name: a certificate that a Gateway's listener refers to, or a workload. What stands
behind the interface (files for now, an authority later) is not known here; `policy` only asks, and gets values.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

_CERTIFICATE = "certificate/"
_TRUST = "trust/"
_FIRST = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SPIFFE = re.compile(rb"\x86(?:\x81([\x80-\xff])|([\x00-\x7f]))spiffe://")
"""A GeneralName of the choice uniformResourceIdentifier, [6] IA5String (RFC 5280, 4.2.1.6): its tag, its length in one
or two bytes of DER, and the beginning of a SPIFFE ID. These have no other place in a certificate."""


class Identity(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def certificate_secret(self) -> str:
        """The name by which proxies ask for its certificate chain and key."""
        return f"{_CERTIFICATE}{self}"

    @property
    def trust_secret(self) -> str:
        """The name by which proxies ask for its trust bundle."""
        return f"{_TRUST}{self}"


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """PEM: the identity's own certificate, then those that lead to an authority; and the private key."""

    chain: str
    key: str = field(repr=False)

    @property
    def spiffe_id(self) -> str | None:
        """The SPIFFE ID of the identity's own certificate, its URI; None if it has none, or one of over 255 bytes."""
        own = _FIRST.search(self.chain)
        try:
            der = binascii.a2b_base64(own[1]) if own else b""
        except binascii.Error:
            return None
        found = _SPIFFE.search(der)
        if found is None:
            return None
        start = found.end() - len(b"spiffe://")
        uri = der[start : start + (found[1] or found[2])[0]]
        return uri.decode("ascii", errors="replace")


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """PEM: the authorities whose certificates are believed."""

    authorities: str


class Identities(Protocol):
    """Answers at once, from what it knows already, and the same until it says that something changed."""

    def certificate(self, identity: Identity) -> CertificateChain | None:
        """The certificate chain of `identity`; None if there is none."""

    def trust(self, identity: Identity) -> TrustBundle | None:
        """Whom to believe where `identity` is named as the authority; None if nothing is known of it."""


class NoIdentities:
    """A mesh without certificates."""

    def certificate(self, identity: Identity) -> CertificateChain | None:
        return None

    def trust(self, identity: Identity) -> TrustBundle | None:
        return None


def secret_of(name: str) -> tuple[Identity, bool]:
    """The identity that a secret's name stands for, and whether it is its trust bundle rather than its certificate.

    Raises:
        ValueError: the name is of neither shape.
    """
    for prefix, is_trust in ((_CERTIFICATE, False), (_TRUST, True)):
        if name.startswith(prefix):
            namespace, _, rest = name.removeprefix(prefix).partition("/")
            return Identity(namespace, rest), is_trust
    raise ValueError(f"got the secret {name!r}, want certificate/NAMESPACE/NAME or trust/NAMESPACE/NAME")

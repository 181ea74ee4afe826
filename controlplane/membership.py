"""Which group a proxy may be of: that of whom its certificate names. A group is served its private keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from policy.compiler import names
from policy.gateway import Gateway
from policy.sidecar import Sidecar
from registry.model import DocumentKey
from xds.errors import DeniedError
from xds.fleet import Client

_SPIFFE = re.compile(r"spiffe://[^/]+/ns/(?P<namespace>[^/]+)/sa/(?P<name>[^/]+)")
_SHOWN = 5


def of_its_own_group(client: Client, authentication: Mapping[str, Sequence[bytes]]) -> None:
    """Turns a proxy away whose certificate is not of the group that it says it is of.

    authentication: as `grpc.ServicerContext.auth_context`. A certificate of the SPIFFE ID `spiffe://DOMAIN/ns/N/sa/NAME`
    is one of the sidecars of the service N/NAME and of the Gateway N/NAME. The domain is the authority's to say.

    Raises:
        DeniedError: with what the certificate is of.
    """
    identities = [value.decode(errors="replace") for value in authentication.get("x509_subject_alternative_name", ())]
    allowed = [group for identity in identities for group in _groups(identity)]
    if client.group in allowed:
        return
    if not allowed:
        got = "a certificate without the SPIFFE ID of a service or Gateway"
        raise DeniedError(f"node.cluster: {client.group} with {got}, want spiffe://DOMAIN/ns/NAMESPACE/sa/NAME in it")
    shown = ", ".join(allowed[:_SHOWN])
    raise DeniedError(f"node.cluster: got {client.group}, want {shown}: what the client's certificate is for")


def _groups(identity: str) -> Iterator[str]:
    found = _SPIFFE.fullmatch(identity)
    if found is not None:
        yield names.sidecar_group(DocumentKey(Sidecar.KIND, found["namespace"], found["name"]))
        yield names.group(DocumentKey(Gateway.KIND, found["namespace"], found["name"]))

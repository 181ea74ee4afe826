"""Resources as fields of a response: the shared bytes of each with what the variant puts around them.

Numbers are those of envoy.service.discovery.v3.Resource; `resources` is field 2 in both variants' responses.
"""

from __future__ import annotations

from collections.abc import Iterable

from xds.resource import Resource
from xds.wire import VARINT, int32, int64, length_delimited, string, tag

_RESOURCES_FIELD = 2
_WRAPPER_URL = "type.googleapis.com/envoy.service.discovery.v3.Resource"
_NANOS = 1_000_000_000


def delta_frame(resource: Resource, aliases: Iterable[str] = ()) -> bytes:
    """A resource of a delta response: with its name, version and lifetime around the shared bytes."""
    if resource.ttl is None and not aliases:
        return length_delimited(
            _RESOURCES_FIELD, string(1, resource.version) + resource.framed + string(3, resource.name)
        )
    return length_delimited(_RESOURCES_FIELD, _wrapped(resource, resource.version, resource.framed, aliases))


def sotw_frame(resource: Resource) -> bytes:
    """A resource of a state-of-the-world response; one with a lifetime is wrapped to carry it (xDS protocol, "TTL")."""
    if resource.ttl is None:
        return resource.framed
    return _packed(_wrapped(resource, resource.version, resource.framed))


def delta_heartbeat(resource: Resource) -> bytes:
    """Renews a resource's lifetime: the version that the client has, and no content (xDS protocol, "TTL")."""
    return length_delimited(_RESOURCES_FIELD, _wrapped(resource, resource.version, b""))


def unresolved_frame(alias: str) -> bytes:
    """Says that an alias leads nowhere: a resource of that name without content (Envoy, "Virtual host discovery
    service")."""
    return length_delimited(_RESOURCES_FIELD, string(3, alias) + string(4, alias))


def _wrapped(resource: Resource, version: str, framed: bytes, aliases: Iterable[str] = ()) -> bytes:
    return b"".join(
        (
            string(1, version),
            framed,
            string(3, resource.name),
            *(string(4, alias) for alias in aliases),
            b"" if resource.ttl is None else length_delimited(6, _duration(resource.ttl)),
        )
    )


def _packed(wrapper: bytes) -> bytes:
    return length_delimited(_RESOURCES_FIELD, string(1, _WRAPPER_URL) + length_delimited(2, wrapper))


def _duration(seconds: float) -> bytes:
    """A google.protobuf.Duration."""
    whole, nanos = divmod(round(seconds * _NANOS), _NANOS)
    return tag(1, VARINT) + int64(whole) + tag(2, VARINT) + int32(nanos)

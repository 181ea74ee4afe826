"""One Envoy resource, encoded once: its bytes, its content hash, what it refers to and where it came from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter

from betterproto2 import Message

from xds.encoder import encode, type_url
from xds.errors import SnapshotError
from xds.meters import ENCODING
from xds.references import domains, references, resource_name
from xds.resource_types import ResourceKey, ResourceType, resource_type
from xds.wire import length_delimited, string

_ANY_FIELD = 2  # both `DiscoveryResponse.resources` and `Resource.resource` are field 2, so the frame is made once
_MIN_TTL = 0.1  # seconds; it is renewed twice as often
_MAX_TTL = 315_576_000_000.0  # seconds: google.protobuf.Duration's own limit


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Resource:
    """A resource as the streams send it. Make one with `of` or `from_bytes`.

    framed: field 2 of a response: the resource inside its google.protobuf.Any. A state-of-the-world response is these,
    joined; a delta response wraps each with its name and version.
    version: the content hash, 16 hexadecimal digits: same bytes, same version, in every process. Or what the author
    gave instead (`is_pinned`).
    aliases: other names that lead to it, of types that are asked for on demand.
    ttl: seconds after which a client drops the resource, unless it hears that it is still there.
    origin: what the resource was made from, opaque to this package; a refusal carries it back.
    """

    type: ResourceType
    name: str
    version: str
    framed: bytes
    size: int
    references: frozenset[ResourceKey]
    origin: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ttl: float | None = None
    is_pinned: bool = False

    @classmethod
    def of(
        cls,
        message: Message,
        *,
        name: str = "",
        version: str | None = None,
        ttl: float | None = None,
        aliases: Sequence[str] = (),
        origin: Sequence[str] = (),
    ) -> Resource:
        """A resource from an envoy-data-plane message; the rest as for `from_bytes`.

        Raises:
            EncodeError: the message cannot be encoded.
            SnapshotError: as for `from_bytes`.
        """
        start = perf_counter()
        body = encode(message)
        ENCODING.add(len(body), perf_counter() - start)
        return cls.from_bytes(
            type_url(message), body, name=name, version=version, ttl=ttl, aliases=aliases, origin=origin
        )

    @classmethod
    def from_bytes(
        cls,
        type: ResourceType | str,
        body: bytes,
        *,
        name: str = "",
        version: str | None = None,
        ttl: float | None = None,
        aliases: Sequence[str] = (),
        origin: Sequence[str] = (),
    ) -> Resource:
        """A resource from its serialized message.

        type: a row of the table, or a type URL. Of a URL that is not in the table the bytes are served as they are.
        name: needed of an opaque type. Elsewhere it may be left out, or has to be the message's own. A VirtualHost is
        named "ROUTECONFIG/HOST", best in the message too: Envoy removes it by the name in the message.
        version: replaces the content hash. Whoever gives versions promises to change them with the content.
        ttl: in seconds, 0.1 or more.
        aliases: a VirtualHost has its domains as aliases without being told.

        Raises:
            SnapshotError: the bytes are not such a message, or there is no name, or another than the message's own.
        """
        row = resource_type(type) if isinstance(type, str) else type
        if "/" not in row.type_url:
            raise SnapshotError(f"type_url: got {row.type_url!r}, want one as in type.googleapis.com/PACKAGE.MESSAGE")
        if ttl is not None and not _MIN_TTL <= ttl <= _MAX_TTL:
            raise SnapshotError(f"{row} {name}: ttl: got {ttl} s, want {_MIN_TTL} s or more, or None")
        if version is not None and not isinstance(version, str):
            raise SnapshotError(f"{row} {name}: version: got {version!r}, want text, or None")
        name = sys.intern(_checked_name(row, body, name))
        if row.on_demand:
            owner = name.rpartition("/")[0]
            aliases = (*aliases, *(f"{owner}/{domain}" for domain in domains(body)))
        return cls(
            type=row,
            name=name,
            version=version or _content_hash(body, ttl, aliases),
            framed=length_delimited(_ANY_FIELD, string(1, row.type_url) + length_delimited(2, body)),
            size=len(body),
            references=references(row, body),
            origin=tuple(origin),
            aliases=tuple(dict.fromkeys(alias for alias in aliases if alias != name)),
            ttl=ttl,
            is_pinned=bool(version),
        )

    @classmethod
    def joined(
        cls,
        type: ResourceType,
        name: str,
        parts: Sequence[bytes],
        *,
        references: frozenset[ResourceKey],
        origin: Sequence[str] = (),
    ) -> Resource:
        """A resource from consecutive parts of its serialized message, by an author who knows what they hold: neither
        its name nor its references are looked for in the bytes."""
        body = b"".join(parts)
        return cls(
            type=type,
            name=name,
            version=_content_hash(body, None, ()),
            framed=length_delimited(_ANY_FIELD, string(1, type.type_url) + length_delimited(2, body)),
            size=len(body),
            references=references,
            origin=tuple(origin),
        )

    @classmethod
    def held_elsewhere(cls, type: ResourceType, name: str, version: str) -> Resource:
        """What a reconnecting client says it holds: a version without bytes, never to be sent."""
        return cls(type=type, name=name, version=version, framed=b"", size=0, references=frozenset())

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.type, self.name)

    @property
    def body(self) -> bytes:
        """The serialized message."""
        return self.framed[len(self.framed) - self.size :]

    @property
    def can_be_sent(self) -> bool:
        """Whether its bytes are known here: not of what a client says it holds."""
        return bool(self.framed)

    @property
    def fingerprint(self) -> int:
        """64 bits of name and version. Their sum over a type is the type's version: see `xds.snapshot`."""
        return int.from_bytes(blake2b(f"{self.name}\0{self.version}".encode(), digest_size=8).digest())


def _checked_name(type: ResourceType, body: bytes, given: str) -> str:
    own = resource_name(type, body)
    if type.is_opaque or (type.on_demand and own and given.endswith(f"/{own}")):
        own = given
    if not (given or own):
        raise SnapshotError(f"a {type.type_url} without a name: want one")
    if not own:
        raise SnapshotError(
            f"{type.type_url}: name: got {given!r} for a message without a name, want it in the message"
        )
    if own == "*":
        raise SnapshotError(f"{type.type_url}: name: got '*', which asks for all resources, want another")
    if given and given != own:
        raise SnapshotError(f"{type.type_url}: name: got {given!r} for a message named {own!r}, want the same")
    if type.on_demand and not all(own.rpartition("/")):
        raise SnapshotError(f"{type.type_url}: name: got {own!r}, want OWNER/NAME, as in ROUTECONFIG/HOST")
    return own


def _content_hash(body: bytes, ttl: float | None, aliases: Sequence[str]) -> str:
    content = blake2b(body, digest_size=8)
    if ttl is not None:
        content.update(f"\0ttl {ttl}".encode())
    if aliases:
        content.update("\0".join(("", *aliases)).encode())
    return content.hexdigest()

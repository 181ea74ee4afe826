"""One Envoy resource, encoded once: its bytes, its content hash, what it refers to and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from betterproto2 import Message

from xds.encoder import encode, type_url
from xds.errors import SnapshotError
from xds.references import references, resource_name
from xds.resource_types import BY_TYPE_URL, ResourceKey, ResourceType
from xds.wire import length_delimited, string

_ANY_FIELD = 2  # both `DiscoveryResponse.resources` and `Resource.resource` are field 2, so the frame is made once


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the streams send it.

    framed: field 2 of a response: the resource inside its google.protobuf.Any. A state-of-the-world response is these,
    joined; a delta response wraps each with its name and version.
    version: the content hash, 16 hexadecimal digits. Same bytes, same version, in every process.
    origin: what the resource was made from, opaque to this package; a refusal carries it back.
    """

    type: ResourceType
    name: str
    version: str
    framed: bytes
    size: int
    references: frozenset[ResourceKey]
    origin: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Message, *, origin: Sequence[str] = ()) -> Resource:
        """A resource from an envoy-data-plane message.

        Raises:
            EncodeError: the message cannot be encoded.
            SnapshotError: its type is not one that the server speaks, or it has no name.
        """
        url = type_url(message)
        row = BY_TYPE_URL.get(url)
        if row is None:
            raise SnapshotError(f"{url} is not served: want one of {', '.join(sorted(BY_TYPE_URL))}")
        return cls.from_bytes(row, encode(message), origin=origin)

    @classmethod
    def from_bytes(
        cls, type: ResourceType, body: bytes, *, version: str | None = None, origin: Sequence[str] = ()
    ) -> Resource:
        """A resource from its serialized message; `version` replaces the content hash.

        Raises:
            SnapshotError: the bytes are not such a message, or it has no name.
        """
        name = resource_name(type, body)
        if not name:
            raise SnapshotError(f"a {type.type_url} without a name: want one")
        return cls(
            type=type,
            name=name,
            version=version or blake2b(body, digest_size=8).hexdigest(),
            framed=length_delimited(_ANY_FIELD, string(1, type.type_url) + length_delimited(2, body)),
            size=len(body),
            references=references(type, body),
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
    def fingerprint(self) -> int:
        """64 bits of name and version. Their sum over a type is the type's version: see `xds.snapshot`."""
        return int.from_bytes(blake2b(f"{self.name}\0{self.version}".encode(), digest_size=8).digest())

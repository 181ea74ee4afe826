"""How much one client may ask for. Beyond that its stream ends with RESOURCE_EXHAUSTED, in words (docs/xds.md)."""

from __future__ import annotations

from collections.abc import Sized

from protos.apg.xds.v3.discovery_pb2 import Node
from xds.errors import LimitError
from xds.resource_types import ResourceType

MAX_REQUEST_BYTES = 4 << 20
MAX_TYPES = 64  # types on one stream
MAX_NAMES = 50_000  # names subscribed to of one type
MAX_NAMES_OF_STREAM = 100_000
MAX_NAME_LENGTH = 1_024  # characters
MAX_REASON_LENGTH = 65_536  # characters of a refusal that are read and kept
MAX_NODE_BYTES = 256 << 10  # of what a client says of itself, such as metadata; Envoy's extensions do not count


def check_types(type: ResourceType, types: Sized) -> None:
    """Before a stream asks for `type` too."""
    if len(type.type_url) > MAX_NAME_LENGTH:
        raise LimitError(
            f"type_url: got {len(type.type_url):,} characters ({type.type_url[:40]}…), want at most {MAX_NAME_LENGTH:,}"
        )
    if len(types) >= MAX_TYPES:
        raise LimitError(f"type_url: got {type.type_url} besides {len(types)} others, want at most {MAX_TYPES} types")


def check_node(node: Node) -> None:
    """What is kept of a client for as long as its stream lasts. Without fields that are not declared."""
    for field, text in (("node.id", node.id), ("node.cluster", node.cluster)):
        if len(text) > MAX_NAME_LENGTH:
            raise LimitError(f"{field}: got {len(text):,} characters ({text[:40]}…), want at most {MAX_NAME_LENGTH:,}")
    if (size := node.ByteSize()) > MAX_NODE_BYTES:
        raise LimitError(f"node: got {size:,} bytes without extensions, want at most {MAX_NODE_BYTES:,}")


def check_name(type: ResourceType, name: str) -> None:
    if len(name) > MAX_NAME_LENGTH:
        raise LimitError(
            f"{type}: got a resource name of {len(name):,} characters ({name[:40]}…), want at most {MAX_NAME_LENGTH:,}"
        )


def check_version(type: ResourceType, version: str) -> None:
    if len(version) > MAX_NAME_LENGTH:
        raise LimitError(f"{type}: got a version of {len(version):,} characters, want at most {MAX_NAME_LENGTH:,}")


def check_names(type: ResourceType, *, of_type: int, of_stream: int) -> None:
    if of_type > MAX_NAMES:
        raise LimitError(f"{type}: got {of_type:,} resource names, want at most {MAX_NAMES:,}")
    if of_stream > MAX_NAMES_OF_STREAM:
        raise LimitError(
            f"{type}: got {of_stream:,} resource names with those of other types, want at most "
            f"{MAX_NAMES_OF_STREAM:,} on one stream"
        )

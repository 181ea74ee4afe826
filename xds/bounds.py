"""How much one client may ask for. Beyond that its stream ends with RESOURCE_EXHAUSTED, in words (docs/xds.md)."""

from __future__ import annotations

from collections.abc import Sized

from xds.errors import LimitError
from xds.resource_types import ResourceType

MAX_REQUEST_BYTES = 4 << 20
MAX_TYPES = 64  # types on one stream
MAX_NAMES = 50_000  # names subscribed to of one type
MAX_NAMES_OF_STREAM = 100_000
MAX_NAME_LENGTH = 1_024  # characters


def check_types(type: ResourceType, types: Sized) -> None:
    """Before a stream asks for `type` too."""
    if len(types) >= MAX_TYPES:
        raise LimitError(f"type_url: got {type.type_url} besides {len(types)} others, want at most {MAX_TYPES} types")


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

"""CompressionPolicy: which answers are compressed on their way to the client, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.shapes import LIST, matching

Encoding: TypeAlias = Literal["Brotli", "Gzip", "Zstd"]
ContentType: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=255),
    matching(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", 'a media type, such as "application/json"'),
]


class CompressionPolicySpec(AttachedSpec):
    """encodings: clients that take several alike get the first; none: nothing is compressed. content_types: none for
    Envoy's list of texts."""

    encodings: Annotated[tuple[Encoding, ...], LIST, Field(max_length=3)] = ("Brotli", "Zstd", "Gzip")
    content_types: Annotated[tuple[ContentType, ...], LIST, Field(max_length=64)] = ()
    minimum_bytes: Annotated[int, Field(ge=30, le=1_000_000)] = 1024
    effort: Literal["Fast", "Balanced", "Small"] = "Balanced"

    @model_validator(mode="after")
    def _distinct(self) -> CompressionPolicySpec:
        if len(set(self.encodings)) < len(self.encodings):
            raise ValueError("each of encodings once")
        return self


class CompressionPolicy(AttachedPolicy):
    """Compression of a Gateway's or a route's answers."""

    KIND: ClassVar[str] = "CompressionPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["CompressionPolicy"] = "CompressionPolicy"
    spec: CompressionPolicySpec

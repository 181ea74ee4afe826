"""CachePolicy: answers that proxies keep and give again, as HTTP caching has it (RFC 9111)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.http_route import HeaderName
from policy.shapes import LIST, matching

Directory: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=1024),
    matching(r"(/(?!\.\.?(/|$))[^/\x00-\x1f\x7f]+)+", 'a directory of the proxies, such as "/var/cache/apg"'),
]
"""An absolute path in normal form, without a final slash."""


class CachePolicySpec(AttachedSpec):
    """directory: where each proxy keeps answers; it must exist there. vary_on: request headers that answers may vary by
    and still be kept. ignore_request_cache_control: whether clients cannot ask for a fresh answer."""

    directory: Directory
    vary_on: Annotated[tuple[HeaderName, ...], LIST, Field(max_length=16)] = ()
    ignore_request_cache_control: bool = False


class CachePolicy(AttachedPolicy):
    """A cache for a Gateway's or a route's answers."""

    KIND: ClassVar[str] = "CachePolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["CachePolicy"] = "CachePolicy"
    spec: CachePolicySpec

"""ThreatPolicy: bounds of requests, and patterns of attacks in them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.http_route import HeaderName
from policy.shapes import LIST, Shape

Pattern: TypeAlias = Literal["SQLInjection", "PathTraversal", "CrossSiteScripting"]
Place: TypeAlias = Literal["Path", "Query", "Headers", "Body"]

MAX_INSPECTED_BODY = 131_072


class RequestBounds(Shape):
    """What is larger is refused: 413 (body), 414 (url: path and query), 431 (headers). Bytes but for header_count."""

    body_bytes: Annotated[int, Field(ge=1, le=1_073_741_824)] | None = None
    url_bytes: Annotated[int, Field(ge=16, le=65_536)] | None = None
    header_bytes: Annotated[int, Field(ge=256, le=65_536)] | None = None
    header_count: Annotated[int, Field(ge=8, le=1_000)] | None = None

    @property
    def of_headers(self) -> bool:
        return any(bound is not None for bound in (self.url_bytes, self.header_bytes, self.header_count))


class ThreatPolicySpec(AttachedSpec):
    """mode: Block refuses what the patterns find, with 403; Log only says so."""

    mode: Literal["Block", "Log"] = "Block"
    bounds: RequestBounds = RequestBounds()
    patterns: Annotated[tuple[Pattern, ...], LIST, Field(max_length=3)] = ()
    inspect: Annotated[tuple[Place, ...], LIST, Field(min_length=1, max_length=4)] = ("Path", "Query", "Headers")
    skip_headers: Annotated[tuple[HeaderName, ...], LIST, Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _fits(self) -> ThreatPolicySpec:
        if not self.patterns and not self.bounds.of_headers and self.bounds.body_bytes is None:
            raise ValueError("patterns or bounds, one at least")
        for name, items in (("patterns", self.patterns), ("inspect", self.inspect)):
            if len(set(items)) != len(items):
                raise ValueError(f"each of {name} once")
        body = self.bounds.body_bytes
        if self.patterns and "Body" in self.inspect and (body is None or body > MAX_INSPECTED_BODY):
            at_most = f"bounds.bodyBytes of {MAX_INSPECTED_BODY} at most"
            raise ValueError(f"{at_most} beside inspect: [Body], or what is beyond would pass unseen")
        return self


class ThreatPolicy(AttachedPolicy):
    """A net with holes: see its page for what patterns cannot do."""

    KIND: ClassVar[str] = "ThreatPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["ThreatPolicy"] = "ThreatPolicy"
    spec: ThreatPolicySpec

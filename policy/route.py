"""What routes of all kinds have in common: the parents that they attach to, and the backends that they name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from policy.shapes import LIST, BaseDocument, NamespaceName, ObjectName, Port, Shape

GATEWAY_GROUP = "gateway.networking.k8s.io"
MAX_WEIGHT = 1_000_000


class ParentReference(Shape):
    """The Gateway, or a listener of it, that a route attaches to; or the Service whose callers' sidecars follow it."""

    # In the order of `TargetRef`: typing takes both for one type, so schemas would show whichever was made first.
    group: Literal["", "gateway.networking.k8s.io"] | None = None
    kind: Literal["Gateway", "Service"] = "Gateway"
    namespace: NamespaceName | None = None
    name: ObjectName
    section_name: ObjectName | None = None
    port: Port | None = None

    @model_validator(mode="after")
    def _group_of_its_kind(self) -> ParentReference:
        group = "" if self.kind == "Service" else GATEWAY_GROUP
        if self.group not in (None, group):
            raise ValueError(f'the group "{group}" for {self.kind}, or none')
        if self.kind == "Service" and self.section_name is not None:
            raise ValueError("no sectionName: a Service has no sections here")
        return self


class BackendObjectReference(Shape):
    """A service, or a version of one."""

    group: Literal[""] = ""
    kind: Literal["Service"] = "Service"
    namespace: NamespaceName | None = None
    name: ObjectName
    port: Port | None = None


class BackendRef(BackendObjectReference):
    """A service, or a version of one, and its share of what the rule carries."""

    weight: Annotated[int, Field(ge=0, le=MAX_WEIGHT)] = 1


class RouteSpec(Shape):
    parent_refs: Annotated[tuple[ParentReference, ...], LIST, Field(min_length=1, max_length=32)]


class Route(BaseDocument):
    """A route of any kind."""

    spec: RouteSpec

    @property
    @abstractmethod
    def hostnames(self) -> tuple[str, ...]:
        """The hostnames that it is for; none means all that its listener serves."""

    @property
    @abstractmethod
    def rule_names(self) -> tuple[str | None, ...]:
        """The names of its rules, in their order."""

    @abstractmethod
    def backend_refs(self) -> Iterator[tuple[str, BackendObjectReference]]:
        """All services that it names, each with its path in the document."""

"""Attached policies: what the standard's routes lack, attached to a target with `targetRefs` (docs/decisions/0040)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import Field, model_validator

from policy.errors import Problem
from policy.identities import Identity
from policy.shapes import LIST, BaseDocument, ObjectName, Port, Shape

POLICY_API = "apg.mesh/v1"
_GATEWAY_GROUP = "gateway.networking.k8s.io"

MAX_TARGETS = 16

TargetKind: TypeAlias = Literal["Gateway", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "Service"]


class Target(NamedTuple):
    """What a policy can attach to. section: a Gateway's listener, a route's rule, a Service's version; or all of it."""

    kind: str
    namespace: str
    name: str
    section: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" + (f" section {self.section}" if self.section else "")


class TargetRef(Shape):
    """A target in the policy's own namespace. `group` need not be given: it follows from the kind."""

    group: Literal["", "gateway.networking.k8s.io"] | None = None
    kind: TargetKind
    name: ObjectName
    section_name: ObjectName | None = None

    @model_validator(mode="after")
    def _group_of_its_kind(self) -> TargetRef:
        group = "" if self.kind == "Service" else _GATEWAY_GROUP
        if self.group not in (None, group):
            raise ValueError(f'the group "{group}" for {self.kind}, or none')
        return self


class BackendReference(Protocol):
    """A service, or a version of one, that a document names."""

    @property
    def namespace(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def port(self) -> Port | None: ...


class AttachedSpec(Shape):
    """What the specs of all attached policies have."""

    target_refs: Annotated[tuple[TargetRef, ...], LIST, Field(min_length=1, max_length=MAX_TARGETS)]


class AttachedPolicy(BaseDocument):
    """A policy of any kind. A new kind is a subclass and a row in `policy.kinds`.

    TARGETS: the kinds that it may attach to.
    STACKS: False: the most specific policy applies, whole, and one on the very same target is the rule. True: all
        apply together, from the most general to the most specific; what that means, its compiler module says.
    AT_SERVER: where one that is attached to a Service applies. False: where the service is called (callers' sidecars,
        gateways), as for retries. True: at the service's own sidecars, on what comes in, as for whom it admits. Never
        both: a request would be retried, or judged, twice.
    """

    API_VERSION: ClassVar[str] = POLICY_API
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute")
    STACKS: ClassVar[bool] = False
    AT_SERVER: ClassVar[bool] = False

    spec: AttachedSpec

    def targets(self) -> Iterator[Target]:
        """What it is attached to, in the order of its `targetRefs`."""
        for ref in self.spec.target_refs:
            yield Target(ref.kind, self.metadata.namespace, ref.name, ref.section_name)

    def backend_refs(self) -> Iterator[tuple[str, BackendReference]]:
        """The services that it names beside its targets, each with its path in the document: they are checked as a
        route's are."""
        return iter(())

    def authorities(self) -> Iterator[tuple[str, Identity]]:
        """The identities whose trust bundles it needs, each with its path in the document."""
        return iter(())

    def findings(self) -> Iterator[Problem | str]:
        """What is wrong with it (a Problem) or worth a look (a text) beyond its shape, its targets and its backends,
        which all policies have checked."""
        return iter(())

    @classmethod
    def disagreements(cls, policies: Sequence[AttachedPolicy]) -> Iterator[Problem | str]:  # noqa: ARG003  # overridden
        """What is wrong with `policies`, all of a mesh's of this kind, sorted by namespace and name, taken together."""
        return iter(())

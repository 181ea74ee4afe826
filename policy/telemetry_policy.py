"""TelemetryPolicy: what proxies tell of single requests: access logs, an audit log of denials, traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, BackendReference, TargetKind
from policy.errors import Problem
from policy.http_route import HeaderName
from policy.servers import OutsideServer, ServiceReference
from policy.shapes import LIST, AbsoluteFile, Shape, Word, matching
from registry.model import ServiceKey

FieldName: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=64),
    matching(r"[A-Za-z_][A-Za-z0-9_.]*", 'letters, digits, "_" and ".", and no digit first'),
]


class Extra(Shape):
    """A field of a log, or a tag of a span: a value, or a header of the request or its answer."""

    name: FieldName
    value: Word | None = None
    request_header: HeaderName | None = None
    response_header: HeaderName | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Extra:
        if sum(source is not None for source in (self.value, self.request_header, self.response_header)) != 1:
            raise ValueError("just one of value, requestHeader and responseHeader beside the name")
        return self


class Tag(Shape):
    """A tag of a span: a value, or a header of the request."""

    name: FieldName
    value: Word | None = None
    request_header: HeaderName | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Tag:
        if (self.value is None) == (self.request_header is None):
            raise ValueError("just one of value and requestHeader beside the name")
        return self


class Collector(Shape):
    """A server of OTLP over gRPC: a service of the mesh, or a host outside."""

    backend_ref: ServiceReference | None = None
    server: OutsideServer | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Collector:
        if (self.backend_ref is None) == (self.server is None):
            raise ValueError("one of backendRef, server")
        return self


class Sink(Shape):
    """Where a log goes: as lines of JSON to the proxy's standard output or a file of its machine, or to a collector."""

    type: Literal["Stdout", "File", "OTLP"]
    path: AbsoluteFile | None = None
    collector: Collector | None = None

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Sink:
        given = {name for name in ("path", "collector") if getattr(self, name) is not None}
        if given != {"Stdout": set(), "File": {"path"}, "OTLP": {"collector"}}[self.type]:
            raise ValueError("a path beside the type File, a collector beside OTLP, and neither beside Stdout")
        return self


class Log(Shape):
    """fields: beside those that every log has."""

    sinks: Annotated[tuple[Sink, ...], LIST, Field(min_length=1, max_length=4)]
    fields: Annotated[tuple[Extra, ...], LIST, Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Log:
        names = [field.name for field in self.fields]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"fields with names of their own, and {twice} is there twice")
        return self


class AccessLog(Log):
    """minimum_status: only requests with such an answer, or a higher one."""

    minimum_status: Annotated[int, Field(ge=100, le=599)] | None = None


class Tracing(Collector):
    """Spans of `sampling` percent of the requests, whatever their clients say of traces that they bring. On a route
    there is no collector: its spans go where its Gateway's do."""

    service_name: Word | None = None
    sampling: Annotated[float, Field(ge=0, le=100)] = 1
    tags: Annotated[tuple[Tag, ...], LIST, Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _is_one(self) -> Tracing:
        if self.backend_ref is not None and self.server is not None:
            raise ValueError("one of backendRef, server")
        return self

    @property
    def has_collector(self) -> bool:
        return self.backend_ref is not None or self.server is not None


class TelemetryPolicySpec(AttachedSpec):
    """audit_log: requests that the proxy refused, and none else."""

    access_log: AccessLog | None = None
    audit_log: Log | None = None
    tracing: Tracing | None = None

    def collectors(self) -> Iterator[tuple[str, Collector]]:
        """All collectors, each with its path in the document."""
        for name, log in (("accessLog", self.access_log), ("auditLog", self.audit_log)):
            for index, sink in enumerate(log.sinks if log is not None else ()):
                if sink.collector is not None:
                    yield f"spec.{name}.sinks[{index}].collector", sink.collector
        if self.tracing is not None and self.tracing.has_collector:
            yield "spec.tracing", self.tracing


class TelemetryPolicy(AttachedPolicy):
    """Logs and traces of what a Gateway's listeners, or a Service's sidecars, take in. On a route: which of its
    requests are traced, and the tags of their spans."""

    KIND: ClassVar[str] = "TelemetryPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute", "Service")
    AT_SERVER: ClassVar[bool] = True

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["TelemetryPolicy"] = "TelemetryPolicy"
    spec: TelemetryPolicySpec

    def backend_refs(self) -> Iterator[tuple[str, BackendReference]]:
        """The collectors that are services."""
        for where, collector in self.spec.collectors():
            if collector.backend_ref is not None:
                yield f"{where}.backendRef", collector.backend_ref

    @classmethod
    def disagreements(cls, policies: Sequence[AttachedPolicy]) -> Iterator[Problem | str]:
        """A collector whose own sidecars tell of what they take in must not be told by them, over others or not: each
        delivery would be a request that is told of by another, without end."""
        own = [policy for policy in policies if isinstance(policy, cls)]
        tells: dict[ServiceKey, list[ServiceKey]] = {}
        for policy in own:
            for target, collector in policy._deliveries():
                tells.setdefault(target, []).append(collector)
        for policy in own:
            for where, ref in policy.backend_refs():
                collector = ServiceKey(ref.namespace or policy.key.namespace, ref.name)
                for target, _ in policy._deliveries():
                    if (way := _way(tells, collector, target)) is not None:
                        circle = " to ".join(str(service) for service in (target, *way))
                        want = "a collector whose sidecars tell of their requests to nobody that this leads to"
                        yield Problem(str(policy.key), where, f"a cycle: {circle}", want)
                        break

    def _deliveries(self) -> Iterator[tuple[ServiceKey, ServiceKey]]:
        """Services whose sidecars tell, and whom."""
        for target in self.targets():
            if target.kind == "Service":
                for _, ref in self.backend_refs():
                    home = self.key.namespace
                    yield ServiceKey(target.namespace, target.name), ServiceKey(ref.namespace or home, ref.name)

    def findings(self) -> Iterator[Problem | str]:
        if self.spec.model_fields_set <= {"target_refs"}:
            yield Problem(str(self.key), "spec", "nothing beside targetRefs", "accessLog, auditLog or tracing")
        for index, ref in enumerate(self.spec.target_refs):
            if ref.kind == "Service" and ref.section_name is not None:
                where = f"spec.targetRefs[{index}].sectionName"
                yield Problem(str(self.key), where, ref.section_name, "none: the sidecars of all versions serve alike")
            yield from self._findings_of(ref.kind)

    def _findings_of(self, kind: str) -> Iterator[Problem]:
        """What does not fit the kind of a target."""
        spec, tracing = self.spec, self.spec.tracing
        if kind in ("Gateway", "Service"):
            if tracing is not None and not tracing.has_collector:
                yield Problem(str(self.key), "spec.tracing", "an object", "one of backendRef, server")
            return
        for name, given in (("accessLog", spec.access_log), ("auditLog", spec.audit_log)):
            if given is not None:
                want = "a Gateway or a Service as the target: requests without a route are logged, too"
                yield Problem(str(self.key), f"spec.{name}", f"a log beside the target {kind}", want)
        if tracing is not None and (tracing.has_collector or tracing.service_name is not None):
            got = "a collector or serviceName" if tracing.has_collector else "a serviceName"
            want = f"sampling and tags beside the target {kind}: spans go where its Gateway's do"
            yield Problem(str(self.key), "spec.tracing", got, want)


def _way(
    tells: Mapping[ServiceKey, Sequence[ServiceKey]], start: ServiceKey, end: ServiceKey
) -> tuple[ServiceKey, ...] | None:
    """From `start` to `end` by who tells whom; None if there is no way."""
    ways: list[tuple[ServiceKey, ...]] = [(start,)]
    seen = {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == end:
            return way
        following = [service for service in tells.get(way[-1], ()) if service not in seen]
        seen.update(following)
        ways += [(*way, service) for service in following]
    return None

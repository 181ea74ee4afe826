"""What a proxy measured of itself: typed values, and how they are read from an OTLP export.

Whether a counter or histogram is a difference or a total is part of the value: `temporality`. Nothing is converted,
because a difference that was lost on the way cannot be told from none.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
)

from xds.errors import RequestError

Attributes: TypeAlias = Mapping[str, str]


class Temporality(enum.Enum):
    """DELTA: what happened between `start` and `time`. CUMULATIVE: since the proxy started; `start` says nothing then
    (Envoy 1.40 gives the time of its last export there)."""

    DELTA = "delta"
    CUMULATIVE = "cumulative"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value as it stands. `time` is aware, in UTC, here and below; None where the proxy gave none."""

    name: str
    attributes: Attributes
    time: datetime | None
    value: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A sum; `monotonic` where it never falls."""

    name: str
    attributes: Attributes
    start: datetime | None
    time: datetime | None
    temporality: Temporality
    monotonic: bool
    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """counts: one for each of `bounds` (upper bounds, included) and one for what is above the last; disjoint."""

    name: str
    attributes: Attributes
    start: datetime | None
    time: datetime | None
    temporality: Temporality
    count: int
    total: float
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


Measurement: TypeAlias = Gauge | Counter | Histogram


@dataclass(frozen=True, slots=True)
class Export:
    """One sample: all that one proxy measured at one moment, kept as its bytes, because few of them are ever read.

    node_id, group: the resource attributes `service.instance.id` and `service.name`, as `apg proxy` sets them; ""
    where a proxy does not.
    received: aware, in UTC.
    points: how many measurements there are.
    """

    node_id: str
    group: str
    peer: str
    received: datetime
    points: int
    body: bytes = field(repr=False)

    def measurements(self, *, names: Iterable[str] | None = None) -> Iterator[Measurement]:
        """The measurements, all or those of these names. Parses anew with each call."""
        wanted = None if names is None else frozenset(names)
        resource = ResourceMetrics.FromString(self.body)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if wanted is None or metric.name in wanted:
                    yield from _measurements(metric)


def exports(body: bytes, *, peer: str, received: datetime) -> tuple[list[Export], int]:
    """The samples in one request, and how many data points are of a kind that is not taken (exponential histograms
    and summaries, which Envoy does not send).

    Raises:
        RequestError: the bytes are no such request.
    """
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise RequestError(
            "the bytes are no opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest: want one"
        ) from error
    samples, refused = [], 0
    for resource in request.resource_metrics:
        points = 0
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                count = _points(metric)
                if metric.HasField("exponential_histogram") or metric.HasField("summary"):
                    refused += count
                else:
                    points += count
        if points:
            attributes = _attributes(resource.resource.attributes)
            samples.append(
                Export(
                    node_id=attributes.get("service.instance.id", ""),
                    group=attributes.get("service.name", ""),
                    peer=peer,
                    received=received,
                    points=points,
                    body=resource.SerializeToString(),
                )
            )
    return samples, refused


def _points(metric: Metric) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind is not None else 0


def _measurements(metric: Metric) -> Iterator[Measurement]:
    match metric.WhichOneof("data"):
        case "gauge":
            for point in metric.gauge.data_points:
                yield Gauge(metric.name, _attributes(point.attributes), _time(point.time_unix_nano), _number(point))
        case "sum":
            for point in metric.sum.data_points:
                yield Counter(
                    name=metric.name,
                    attributes=_attributes(point.attributes),
                    start=_start(point),
                    time=_time(point.time_unix_nano),
                    temporality=_temporality(metric.sum.aggregation_temporality),
                    monotonic=metric.sum.is_monotonic,
                    value=_number(point),
                )
        case "histogram":
            for each in metric.histogram.data_points:
                yield Histogram(
                    name=metric.name,
                    attributes=_attributes(each.attributes),
                    start=_start(each),
                    time=_time(each.time_unix_nano),
                    temporality=_temporality(metric.histogram.aggregation_temporality),
                    count=each.count,
                    total=each.sum,
                    bounds=tuple(each.explicit_bounds),
                    counts=tuple(each.bucket_counts),
                )
        case _:
            return


def _attributes(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Texts as they are; numbers and truth values as text. Envoy's own, the tags of its statistics, are texts."""
    values = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        if kind in ("string_value", "bool_value", "int_value", "double_value"):
            values[attribute.key] = str(getattr(attribute.value, kind))
    return values


def _number(point: NumberDataPoint) -> float:
    return point.as_double if point.WhichOneof("value") == "as_double" else point.as_int


def _temporality(value: int) -> Temporality:
    if value == AGGREGATION_TEMPORALITY_DELTA:
        return Temporality.DELTA
    if value == AGGREGATION_TEMPORALITY_CUMULATIVE:
        return Temporality.CUMULATIVE
    return Temporality.UNKNOWN


_YEAR_2000 = 946_684_800 * 1_000_000_000  # nanoseconds


def _start(point: NumberDataPoint | HistogramDataPoint) -> datetime | None:
    """Envoy 1.40 gives microseconds where OTLP wants nanoseconds: read so, its exports would start in January 1970."""
    start = point.start_time_unix_nano
    return _time(start * 1_000 if 0 < start < _YEAR_2000 else start)


def _time(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else None
    except (OverflowError, ValueError, OSError):
        return None

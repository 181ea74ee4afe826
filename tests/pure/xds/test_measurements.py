"""What is read from an OTLP export."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from xds.errors import RequestError
from xds.measurements import Counter, Export, Gauge, Histogram, Temporality, exports

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NANOSECONDS = 1_767_225_600_000_000_000  # the same moment


def request(*metrics: Metric, **resource: str) -> bytes:
    message = ExportMetricsServiceRequest()
    added = message.resource_metrics.add()
    for key, value in resource.items():
        added.resource.attributes.add(key=key.replace("_", ".")).value.string_value = value
    added.scope_metrics.add().metrics.extend(metrics)
    return message.SerializeToString()


def counter(value: int, temporality: AggregationTemporality.ValueType, *, start: int = NANOSECONDS) -> Metric:
    metric = Metric(name="cluster.upstream_rq_total")
    metric.sum.aggregation_temporality = temporality
    metric.sum.is_monotonic = True
    point = metric.sum.data_points.add(as_int=value, time_unix_nano=NANOSECONDS, start_time_unix_nano=start)
    point.attributes.add(key="envoy.cluster_name").value.string_value = "pay"
    return metric


def read(*metrics: Metric) -> tuple[Export, int]:
    [sample], refused = exports(
        request(*metrics, service_instance_id="edge-1", service_name="g"), peer="p", received=NOW
    )
    return sample, refused


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA, Temporality.DELTA),
        (AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE, Temporality.CUMULATIVE),
        (AggregationTemporality.AGGREGATION_TEMPORALITY_UNSPECIFIED, Temporality.UNKNOWN),
    ],
)
def test_a_counter_says_whether_it_is_a_difference_or_a_total(
    written: AggregationTemporality.ValueType, meant: Temporality
) -> None:
    sample, _ = read(counter(3, written))
    assert (sample.node_id, sample.group, sample.points) == ("edge-1", "g", 1)
    [measured] = sample.measurements()
    assert measured == Counter(
        name="cluster.upstream_rq_total",
        attributes={"envoy.cluster_name": "pay"},
        start=NOW,
        time=NOW,
        temporality=meant,
        monotonic=True,
        value=3,
    )


def test_a_start_in_microseconds_as_envoy_writes_it_is_read_as_what_it_means() -> None:
    sample, _ = read(counter(1, AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA, start=NANOSECONDS // 1000))
    [measured] = sample.measurements()
    assert isinstance(measured, Counter)
    assert measured.start == NOW


def test_gauges_and_histograms_are_read_and_can_be_asked_for_by_name() -> None:
    gauge, histogram = Metric(name="cluster.membership_healthy"), Metric(name="cluster.upstream_rq_time")
    gauge.gauge.data_points.add(as_double=2.5)
    point = histogram.histogram.data_points.add(count=3, sum=7.5, time_unix_nano=NANOSECONDS)
    point.explicit_bounds.extend((1, 5))
    point.bucket_counts.extend((1, 2, 0))
    sample, _ = read(gauge, histogram)
    assert [type(each) for each in sample.measurements()] == [Gauge, Histogram]
    [measured] = sample.measurements(names=["cluster.upstream_rq_time"])
    assert isinstance(measured, Histogram)
    assert (measured.count, measured.total, measured.bounds, measured.counts) == (3, 7.5, (1, 5), (1, 2, 0))
    assert measured.start is None


def test_kinds_that_are_not_taken_are_counted_and_the_others_are_taken() -> None:
    other = Metric(name="other")
    other.exponential_histogram.data_points.add()
    other.exponential_histogram.data_points.add()
    sample, refused = read(counter(1, AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA), other)
    assert (sample.points, refused) == (1, 2)
    assert [each.name for each in sample.measurements()] == ["cluster.upstream_rq_total"]


def test_who_does_not_say_who_it_is_has_no_name() -> None:
    body = request(counter(1, AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA))
    [sample], _ = exports(body, peer="p", received=NOW)
    assert (sample.node_id, sample.group, sample.peer) == ("", "", "p")


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(min_value=0, max_value=2**64 - 1))
def test_no_bytes_do_more_than_be_refused(noise: bytes, moment: int) -> None:
    metric = counter(1, AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA, start=moment)
    for body in (noise, request(metric)[:-1] + noise, request(metric)):
        try:
            samples, _ = exports(body, peer="", received=NOW)
        except RequestError as error:
            assert "ExportMetricsServiceRequest" in str(error)
        else:
            for sample in samples:
                list(sample.measurements())

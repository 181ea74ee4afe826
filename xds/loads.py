"""What a client reports of the load that it sent: typed values, and how they are read from a report (LRS).

Counts are of the report's own interval, except requests in progress, which are as they stood at its end
(envoy.config.endpoint.v3, "UpstreamLocalityStats").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from protos.apg.xds.v3.load_stats_pb2 import (
    Address,
    ClusterStats,
    EndpointLoadMetricStats,
    LoadStatsRequest,
    UnnamedEndpointLoadMetricStats,
    UpstreamEndpointStats,
    UpstreamLocalityStats,
)
from xds.errors import RequestError


@dataclass(frozen=True, slots=True)
class Requests:
    """in_progress: at the end of the interval. succeeded, failed: that ended within it; an HTTP status of 500 or more
    is a failure. issued: that began within it."""

    in_progress: int
    succeeded: int
    failed: int
    issued: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A value that endpoints reported with their answers (ORCA): how many requests reported it, and the values' sum."""

    requests: int
    total: float

    @property
    def mean(self) -> float:
        """Per request that reported it; 0 where none did."""
        return self.total / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class LocalityName:
    """Each part may be ""."""

    region: str
    zone: str
    sub_zone: str


@dataclass(frozen=True, slots=True)
class EndpointLoad:
    """One endpoint. `address` is "HOST:PORT", "[IPV6]:PORT", "unix:PATH" or "internal:LISTENER/ID"; `metrics` are by
    the name that the client gave ("named_metrics.queue", say)."""

    address: str
    requests: Requests
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True)
class LocalityLoad:
    """One locality at one priority. `metrics` are over all its endpoints; `endpoints` are there only where the client
    was asked for them and had requests for them."""

    locality: LocalityName
    priority: int
    requests: Requests
    metrics: Mapping[str, Metric]
    endpoints: tuple[EndpointLoad, ...]


@dataclass(frozen=True, slots=True)
class ClusterLoad:
    """One sample: what one client sent to one cluster within one interval.

    interval: as the client measured it; the first one after a change may be shorter than was asked for.
    received: aware, in UTC.
    service_name: the cluster's EDS name, "" where that is its own.
    dropped: requests that never went to an endpoint; `dropped_by` says why, in the client's categories.
    """

    node_id: str
    group: str
    received: datetime
    cluster: str
    service_name: str
    interval: timedelta
    dropped: int
    dropped_by: Mapping[str, int]
    localities: tuple[LocalityLoad, ...]
    octets: int = field(default=0, compare=False, repr=False)
    """As it came over the wire."""

    @property
    def rows(self) -> int:
        """How many values hang together in this sample: for bounds on memory. Long names count as more."""
        values = 1 + sum(
            1 + len(locality.metrics) + sum(1 + len(endpoint.metrics) for endpoint in locality.endpoints)
            for locality in self.localities
        )
        return max(values + len(self.dropped_by), self.octets // _OCTETS_OF_ROW)


_OCTETS_OF_ROW = 256  # on the wire; an endpoint with some metrics has fewer
_NO_METRICS: Mapping[str, Metric] = MappingProxyType({})
_NONE_DROPPED: Mapping[str, int] = MappingProxyType({})


def cluster_loads(report: LoadStatsRequest, *, node_id: str, group: str, received: datetime) -> Iterator[ClusterLoad]:
    """The samples in one report.

    Raises:
        RequestError: a cluster has no name, or an interval that is none.
    """
    for stats in report.cluster_stats:
        if not stats.cluster_name:
            raise RequestError("a load report has cluster_stats without cluster_name: want the cluster's name")
        yield ClusterLoad(
            node_id=node_id,
            group=group,
            received=received,
            cluster=stats.cluster_name,
            service_name=stats.cluster_service_name,
            interval=_interval(stats),
            dropped=stats.total_dropped_requests,
            dropped_by=_dropped_by(stats),
            localities=tuple(_locality(each) for each in stats.upstream_locality_stats),
            octets=stats.ByteSize(),
        )


def _interval(stats: ClusterStats) -> timedelta:
    try:
        interval = stats.load_report_interval.ToTimedelta()
    except (ValueError, OverflowError):
        interval = timedelta(-1)
    if interval < timedelta(0):
        shown = f"{stats.load_report_interval.seconds} s {stats.load_report_interval.nanos} ns"
        raise RequestError(
            f"cluster {stats.cluster_name}: load_report_interval: got {shown}, want a duration of 0 or more"
        )
    return interval


def _dropped_by(stats: ClusterStats) -> Mapping[str, int]:
    if not stats.dropped_requests:
        return _NONE_DROPPED
    counts: dict[str, int] = {}
    for each in stats.dropped_requests:
        counts[each.category] = counts.get(each.category, 0) + each.dropped_count
    return MappingProxyType(counts)


def _locality(stats: UpstreamLocalityStats) -> LocalityLoad:
    metrics = dict(_metrics(stats.load_metric_stats))
    for name in ("cpu_utilization", "mem_utilization", "application_utilization"):
        if stats.HasField(name):
            unnamed: UnnamedEndpointLoadMetricStats = getattr(stats, name)
            metrics[name] = Metric(unnamed.num_requests_finished_with_metric, unnamed.total_metric_value)
    return LocalityLoad(
        locality=LocalityName(stats.locality.region, stats.locality.zone, stats.locality.sub_zone),
        priority=stats.priority,
        requests=_requests(stats),
        metrics=MappingProxyType(metrics) if metrics else _NO_METRICS,
        endpoints=tuple(_endpoint(each) for each in stats.upstream_endpoint_stats),
    )


def _endpoint(stats: UpstreamEndpointStats) -> EndpointLoad:
    return EndpointLoad(_address(stats.address), _requests(stats), _metrics(stats.load_metric_stats))


def _requests(stats: UpstreamLocalityStats | UpstreamEndpointStats) -> Requests:
    return Requests(
        in_progress=stats.total_requests_in_progress,
        succeeded=stats.total_successful_requests,
        failed=stats.total_error_requests,
        issued=stats.total_issued_requests,
    )


def _metrics(stats: Iterable[EndpointLoadMetricStats]) -> Mapping[str, Metric]:
    metrics = {
        each.metric_name: Metric(each.num_requests_finished_with_metric, each.total_metric_value) for each in stats
    }
    return MappingProxyType(metrics) if metrics else _NO_METRICS


def _address(address: Address) -> str:
    match address.WhichOneof("address"):
        case "socket_address":
            socket = address.socket_address
            host = f"[{socket.address}]" if ":" in socket.address else socket.address
            return f"{host}:{socket.named_port or socket.port_value}"
        case "pipe":
            return f"unix:{address.pipe.path}"
        case "envoy_internal_address":
            internal = address.envoy_internal_address
            return f"internal:{internal.server_listener_name}/{internal.endpoint_id}"
        case _:
            return ""

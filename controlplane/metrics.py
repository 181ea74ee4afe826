"""The process's own metrics, for Prometheus: `/metrics` on an address of its own. The list of them: docs/metrics.md.

Numbers are read when they are asked for; nothing is counted here. Labels are bounded: variants, types, reasons.
"""

from __future__ import annotations

import hmac
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from controlplane.on_demand import OnDemand
from controlplane.telemetry import Telemetry
from xds.cache import SnapshotCache
from xds.fleet import ClientStatus, Fleet
from xds.flow import Gate
from xds.meters import ENCODING, Distribution, Labels, labels
from xds.window import Window

_Values: TypeAlias = Mapping[Any, float]  # by a label, or by several


class Metrics(Collector):
    """Of one control plane. `gate`: of its xDS server, as it is now. `revision` and `published_revision`: whether what
    was applied has reached the streams."""

    def __init__(
        self,
        *,
        cache: SnapshotCache,
        fleet: Fleet,
        telemetry: Telemetry,
        gate: Callable[[], Gate],
        revision: Callable[[], int],
        published_revision: Callable[[], int],
        on_demand: OnDemand,
    ) -> None:
        self._cache = cache
        self._fleet = fleet
        self._telemetry = telemetry
        self._gate = gate
        self._revision = revision
        self._published_revision = published_revision
        self._on_demand = on_demand

    def collect(self) -> Iterator[Metric]:
        status = self._fleet.status()
        yield from self._streams(status)
        yield from self._types(status)
        yield from self._work()
        yield from self._mesh()
        yield from self._undeclared()
        yield from self._reports()

    def _streams(self, status: Iterable[ClientStatus]) -> Iterator[Metric]:
        status = tuple(status)
        streams = Counter(each.client.variant for each in status)
        yield _gauge("apg_xds_streams", "Streams of configuration that are open.", ("variant",), streams)
        behind = sum(not each.in_sync for each in status)
        yield GaugeMetricFamily("apg_xds_streams_out_of_sync", "Streams whose client lacks something.", behind)
        unknown = sum(not each.known_group for each in status)
        yield GaugeMetricFamily(
            "apg_xds_streams_of_unknown_groups", "Streams of clients for whose group nothing was published.", unknown
        )
        yield GaugeMetricFamily(
            "apg_xds_streams_waiting",
            "Clients whose turn for a first configuration is still to come.",
            self._gate().waiting,
        )
        yield _counter("apg_xds_streams_opened", "Streams that ever were.", ("variant",), self._fleet.meters.opened)
        yield CounterMetricFamily(
            "apg_xds_streams_refused", "Streams beyond a bound of the server.", self._gate().refused
        )

    def _types(self, status: Iterable[ClientStatus]) -> Iterator[Metric]:
        now = time.monotonic()
        subscribed: Counter[Labels] = Counter()
        unanswered: dict[Labels, float] = {}
        held_back: dict[Labels, float] = {}
        refusing: Counter[Labels] = Counter()
        for each in status:
            for item in each.types:
                key = labels(each.client.variant, item.type)
                subscribed[key] += 1
                refusing[key] += item.nacked is not None
                for ages, since in ((unanswered, item.in_flight_since), (held_back, item.waiting_since)):
                    ages[key] = max(ages.get(key, 0.0), 0.0 if since is None else now - since)
        names = Labels._fields
        yield _gauge("apg_xds_subscriptions", "Types that streams ask for.", names, subscribed)
        yield _gauge("apg_xds_refusing", "Subscriptions whose client refuses what it should have.", names, refusing)
        yield _gauge(
            "apg_xds_unanswered_seconds_max", "Age of the oldest response without an answer.", names, unanswered
        )
        yield _gauge(
            "apg_xds_held_back_seconds_max", "How long the oldest update has waited for its turn.", names, held_back
        )

    def _work(self) -> Iterator[Metric]:
        meters, names = self._fleet.meters, Labels._fields
        yield _counter("apg_xds_pushes", "Responses sent.", names, meters.pushes)
        yield _counter(
            "apg_xds_pushed_resources", "Resources in them that were new to the client.", names, meters.resources
        )
        yield _counter("apg_xds_pushed_removals", "Removals in them.", names, meters.removals)
        yield _counter("apg_xds_pushed_bytes", "Their bytes.", names, meters.octets)
        yield _counter("apg_xds_acks", "Responses accepted.", names, meters.accepted)
        yield _counter("apg_xds_nacks", "Responses refused.", names, meters.refused)
        answers = HistogramMetricFamily(
            "apg_xds_answer_seconds", "From making a response to the client's answer.", labels=("type",)
        )
        for type, distribution in sorted(meters.answers.items()):
            answers.add_metric((type,), _buckets(distribution), distribution.total)
        yield answers
        yield _counter(
            "apg_xds_deciding_seconds",
            "Reading requests and snapshots, and making responses.",
            ("variant",),
            meters.deciding,
        )
        yield CounterMetricFamily("apg_xds_encoded_resources", "Resources made from messages.", ENCODING.resources)
        yield CounterMetricFamily("apg_xds_encoded_bytes", "Their bytes.", ENCODING.octets)
        yield CounterMetricFamily("apg_xds_encoding_seconds", "The time that took.", ENCODING.seconds)

    def _mesh(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("apg_revision", "The newest revision of the mesh.", self._revision())
        yield GaugeMetricFamily(
            "apg_revision_published", "The one that proxies are served.", self._published_revision()
        )
        snapshots = self._cache.groups.values()
        yield GaugeMetricFamily("apg_xds_groups", "Groups of proxies that something was published for.", len(snapshots))
        resources: Counter[str] = Counter()
        for snapshot in snapshots:
            for type in snapshot.types:
                resources["other" if type.is_opaque else type.short] += len(snapshot.resources(type))
        yield _gauge("apg_xds_resources", "Resources served, summed over the groups.", ("type",), resources)

    def _undeclared(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "apg_on_demand_services",
            "Services that sidecars are sent for they were called.",
            self._on_demand.services,
        )
        yield GaugeMetricFamily(
            "apg_on_demand_sidecars_full", "Sidecars that called more of them than they are sent.", self._on_demand.full
        )

    def _reports(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("apg_lrs_streams", "Proxies that report load.", len(self._telemetry.load_reports))
        yield from _window("apg_lrs", "load samples", "rows", self._telemetry.loads)
        yield from _window("apg_otlp", "metric exports", "bytes", self._telemetry.metrics)
        yield CounterMetricFamily(
            "apg_otlp_points_refused",
            "Data points of kinds that are not taken.",
            self._telemetry.exports.refused_points,
        )


def application(collector: Metrics, *, token: str | None = None) -> web.Application:
    """Answers `GET /metrics`. With `token`, only to those who send `authorization: Bearer TOKEN`."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)

    async def metrics(request: web.Request) -> web.Response:
        if token is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise web.HTTPUnauthorized(text="want `authorization: Bearer TOKEN`\n")
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


def _window(prefix: str, what: str, unit: str, window: Window[Any]) -> Iterator[Metric]:
    yield CounterMetricFamily(f"{prefix}_samples", f"{what.capitalize()} taken.", window.added)
    dropped = CounterMetricFamily(
        f"{prefix}_samples_dropped", f"{what.capitalize()} that were lost.", labels=("reason",)
    )
    dropped.add_metric(("too_large",), window.oversized)
    dropped.add_metric(("slow_reader",), window.missed)
    yield dropped
    yield GaugeMetricFamily(f"{prefix}_window_{unit}", f"How much the {what} in memory come to.", window.weight)
    yield GaugeMetricFamily(f"{prefix}_window_{unit}_max", "The most that they may.", window.limit)


def _gauge(name: str, words: str, names: Sequence[str], values: _Values) -> Metric:
    family = GaugeMetricFamily(name, words, labels=names)
    for key, value in _sorted(values):
        family.add_metric(key, value)
    return family


def _counter(name: str, words: str, names: Sequence[str], values: _Values) -> Metric:
    family = CounterMetricFamily(name, words, labels=names)
    for key, value in _sorted(values):
        family.add_metric(key, value)
    return family


def _sorted(values: _Values) -> Iterator[tuple[Sequence[str], float]]:
    for key, value in sorted(values.items()):
        yield (key,) if isinstance(key, str) else key, value


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    """As Prometheus wants them: each holds all that is below it."""
    held = list(accumulate(distribution.counts))
    return [*((str(bound), count) for bound, count in zip(distribution.bounds, held, strict=False)), ("+Inf", held[-1])]

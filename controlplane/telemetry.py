"""What proxies report, as it arrives: the latest load reports (LRS) and metrics (OTLP), bounded, for others to read.

Nothing is stored here. Whoever keeps samples durably follows the windows: `loads.follow()`, `metrics.follow()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import grpc

from xds.cache import SnapshotCache
from xds.load_reporting import LoadPolicy, LoadReports
from xds.loads import ClusterLoad
from xds.measurements import Export
from xds.metrics_receiving import Metrics
from xds.server import node_cluster
from xds.window import Window


class Telemetry:
    """Both receivers of one control plane."""

    def __init__(self, cache: SnapshotCache, *, load_interval: timedelta) -> None:
        self.load_reports = LoadReports(cache, group_of=node_cluster, policy=LoadPolicy(interval=load_interval))
        self.exports = Metrics()

    @property
    def loads(self) -> Window[ClusterLoad]:
        """Requests, errors and what endpoints report of themselves, per cluster, locality and endpoint."""
        return self.load_reports.window

    @property
    def metrics(self) -> Window[Export]:
        """Counters, gauges and histograms of the proxies."""
        return self.exports.window

    def handlers(self) -> Sequence[grpc.GenericRpcHandler]:
        """For the xDS server: proxies report where they are configured."""
        return (self.load_reports.handler(), self.exports.handler())

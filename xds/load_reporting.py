"""The load reporting service (LRS): asks each client for its load, and keeps the latest samples for others to read.

What a sample is: `xds.loads`. What is done with it is for others to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from google.protobuf.message import DecodeError

from protos.apg.xds.v3.load_stats_pb2 import LoadStatsRequest, LoadStatsResponse
from xds.bounds import check_node
from xds.cache import SnapshotCache
from xds.call import Context, refuse
from xds.errors import RequestError
from xds.loads import ClusterLoad, cluster_loads
from xds.resource_types import CLUSTER
from xds.stream import GroupOf
from xds.window import Window

LRS = "envoy.service.load_stats.v3.LoadReportingService"

_SENDS_ALL = "envoy.lrs.supports_send_all_clusters"
_LIMIT = 50_000  # rows: `ClusterLoad.rows`
_MIN_INTERVAL = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPolicy:
    """What clients are asked to report.

    interval: between two reports; 100 ms at least.
    clusters: by name; None for all that the client has.
    endpoints: whether each endpoint is reported, besides the sums of its locality.
    """

    interval: timedelta = timedelta(seconds=10)
    clusters: tuple[str, ...] | None = None
    endpoints: bool = True

    def __post_init__(self) -> None:
        if self.interval < _MIN_INTERVAL:
            raise ValueError(f"interval: got {self.interval.total_seconds():g} s, want 0.1 s or more")


class LoadReports:
    """The samples of all clients. `window` holds the latest, bounded by `limit` rows (`ClusterLoad.rows`).

    A client that cannot send all clusters (it lacks the feature `envoy.lrs.supports_send_all_clusters`) is asked for
    those of its group's snapshot, by name.
    """

    def __init__(
        self, cache: SnapshotCache, *, group_of: GroupOf, policy: LoadPolicy | None = None, limit: int = _LIMIT
    ) -> None:
        self.window: Window[ClusterLoad] = Window(limit, weigh=lambda sample: sample.rows)
        self._cache = cache
        self._group_of = group_of
        self._policy = policy or LoadPolicy()
        self._streams: set[_Stream] = set()

    def __len__(self) -> int:
        """How many clients report."""
        return len(self._streams)

    @property
    def policy(self) -> LoadPolicy:
        return self._policy

    def ask(self, policy: LoadPolicy) -> None:
        """Asks all clients, connected and to come, for something else."""
        self._policy = policy
        for stream in self._streams:
            stream.wake()

    def handler(self) -> grpc.GenericRpcHandler:
        """For `Server`."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self._serve
        )  # bytes: a fault is named by us, not by gRPC
        return grpc.method_handlers_generic_handler(LRS, {"StreamLoadStats": method})

    async def _serve(self, requests: AsyncIterator[bytes], context: Context) -> None:
        try:
            first = await anext(requests, None)
            if first is None:
                return
            report = _parsed(first)
            if not report.node.id:
                raise RequestError("the first load report of a stream has no node.id: want a node with an id")
            report.node.DiscardUnknownFields()
            check_node(report.node)
            group = self._group_of(report.node)
            stream = _Stream(self, context, report.node.id, group, sends_all=_SENDS_ALL in report.node.client_features)
            self._streams.add(stream)
            try:
                with self._cache.watch(group, lambda _: stream.wake()):
                    await stream.run(report, requests)
            finally:
                self._streams.discard(stream)
        except RequestError as error:
            await refuse(context, error)

    def clusters_of(self, group: str) -> tuple[str, ...]:
        """The clusters of a group's snapshot, sorted."""
        snapshot = self._cache.get(group)
        return tuple(sorted(snapshot.resources(CLUSTER))) if snapshot is not None else ()


class _Stream:
    """One client's stream: a reader of reports, and a writer of what is asked for, whenever that changes."""

    def __init__(self, reports: LoadReports, context: Context, node_id: str, group: str, *, sends_all: bool) -> None:
        self._reports = reports
        self._context = context
        self._node_id = node_id
        self._group = group
        self._sends_all = sends_all
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """What is asked for may have changed."""
        self._wake.set()

    async def run(self, first: LoadStatsRequest, requests: AsyncIterator[bytes]) -> None:
        """Raises RequestError."""
        fault: RequestError | None = None
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._write())
            try:
                await self._read(first, requests)
            except RequestError as error:
                fault = error
            writer.cancel()
        if fault is not None:
            raise fault

    async def _read(self, first: LoadStatsRequest, requests: AsyncIterator[bytes]) -> None:
        self._take(first)
        async for request in requests:
            self._take(_parsed(request))

    def _take(self, report: LoadStatsRequest) -> None:
        # All of a report or nothing of it.
        samples = list(cluster_loads(report, node_id=self._node_id, group=self._group, received=datetime.now(UTC)))
        for sample in samples:
            self._reports.window.add(sample)

    async def _write(self) -> None:
        last = None
        while True:
            self._wake.clear()
            asked = self._asked()
            if asked != last:
                last = asked
                await self._context.write(asked.SerializeToString())
            else:
                await self._wake.wait()

    def _asked(self) -> LoadStatsResponse:
        policy = self._reports.policy
        asked = LoadStatsResponse(report_endpoint_granularity=policy.endpoints)
        asked.load_reporting_interval.FromTimedelta(policy.interval)
        if policy.clusters is not None:
            asked.clusters.extend(policy.clusters)
        elif self._sends_all:
            asked.send_all_clusters = True
        else:
            asked.clusters.extend(self._reports.clusters_of(self._group))
        return asked


def _parsed(request: bytes) -> LoadStatsRequest:
    try:
        return LoadStatsRequest.FromString(request)
    except DecodeError as error:
        raise RequestError("the bytes are no envoy.service.load_stats.v3.LoadStatsRequest: want one") from error

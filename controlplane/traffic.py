"""How much traffic services have now, as the proxies' latest load reports say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from policy.backends import Backend
from policy.compiler.names import cluster
from registry.mesh import Mesh
from registry.model import ServiceKey
from xds.loads import ClusterLoad

_FRESH = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ServiceTraffic:
    """Requests that began in a second, over all proxies; of those that ended, the percentage that failed."""

    service: ServiceKey
    requests_per_second: float
    failed_percent: float


def traffic_of(
    services: Sequence[ServiceKey], mesh: Mesh, loads: Iterable[ClusterLoad], *, now: datetime
) -> tuple[ServiceTraffic, ...]:
    """Those of `services` that a proxy reported about within the last minute. Of each proxy and cluster, the newest
    report counts. loads: the oldest first."""
    newest = {(load.node_id, load.cluster): load for load in loads if now - load.received <= _FRESH}
    found = []
    for service in services:
        versions = (None, *mesh.versions_of(service))
        names = {cluster(Backend(service, version)) for version in versions}
        own = [load for (_, name), load in newest.items() if name in names and load.interval]
        if own:
            rate = sum(_count(load, "issued") / load.interval.total_seconds() for load in own)
            failed = sum(_count(load, "failed") for load in own)
            ended = failed + sum(_count(load, "succeeded") for load in own)
            found.append(ServiceTraffic(service, rate, 100 * failed / ended if ended else 0.0))
    return tuple(found)


def _count(load: ClusterLoad, what: str) -> int:
    return sum(int(getattr(locality.requests, what)) for locality in load.localities)

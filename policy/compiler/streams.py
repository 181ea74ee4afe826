"""TCP proxy: whole connections to one backend, or to several by weight."""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import (
    TcpProxy,
    TcpProxyWeightedCluster,
    TcpProxyWeightedClusterClusterWeight,
)

from policy.compiler import names
from policy.compiler.features import STREAM_STEPS
from policy.compiler.inputs import StreamListener


def tcp_proxy(carried: StreamListener) -> TcpProxy:
    """The proxy of one route. A backend of weight 0 gets no connections, and is not named: Envoy has no such weight."""
    targets = [(backend, weight) for backend, weight in carried.targets if weight]
    proxy = TcpProxy(stat_prefix=carried.name)
    if len(targets) == 1:
        proxy.cluster = names.cluster(targets[0][0])
    else:
        proxy.weighted_clusters = TcpProxyWeightedCluster(
            clusters=[
                TcpProxyWeightedClusterClusterWeight(name=names.cluster(backend), weight=weight)
                for backend, weight in targets
            ]
        )
    for step in STREAM_STEPS:
        step(proxy, carried)
    return proxy

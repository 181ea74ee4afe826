"""What both servers serve. `benchmarks/peers/go-control-plane/content.go` makes the same, field by field, and the
harness compares what the clients receive, byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    Locality,
    SocketAddress,
)
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)

from xds.encoder import pack

ROUTES = "routes"
ENDPOINTS_OF_EACH = 3


def cluster_name(number: int) -> str:
    return f"cluster-{number:05d}"


def node_name(number: int) -> str:
    return f"node-{number:05d}"


def numbers_of(node: int, clusters: int) -> list[int]:
    """The clusters of a node of distinct content: the first, which all have, and a window of the others."""
    return [0, *(node + number for number in range(1, clusters))]


def cluster(number: int) -> Cluster:
    return Cluster(
        name=cluster_name(number),
        connect_timeout=timedelta(seconds=5),
        type=ClusterDiscoveryType.EDS,
        eds_cluster_config=ClusterEdsClusterConfig(eds_config=_from_us()),
        circuit_breakers=CircuitBreakers(
            thresholds=[CircuitBreakersThresholds(max_connections=1024, max_pending_requests=1024, max_requests=1024)]
        ),
        outlier_detection=OutlierDetection(consecutive_5xx=5),
    )


def endpoints(number: int, change: int = 0) -> ClusterLoadAssignment:
    """The first endpoint has the host name "change-N", by which the client knows the change; none for 0."""
    return ClusterLoadAssignment(
        cluster_name=cluster_name(number),
        endpoints=[
            LocalityLbEndpoints(
                locality=Locality(region="region-1", zone="zone-a"),
                lb_endpoints=[
                    LbEndpoint(
                        endpoint=Endpoint(
                            address=_address(f"10.{number >> 8 & 255}.{number & 255}.{place + 1}", 8080),
                            hostname=f"change-{change:08d}" if change and place == 0 else "",
                        ),
                        load_balancing_weight=100,
                    )
                    for place in range(ENDPOINTS_OF_EACH)
                ],
            )
        ],
    )


def listener() -> Listener:
    manager = HttpConnectionManager(
        stat_prefix="ingress",
        rds=Rds(config_source=_from_us(), route_config_name=ROUTES),
        http_filters=[HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router()))],
    )
    return Listener(
        name="ingress",
        address=_address("0.0.0.0", 10000),
        filter_chains=[
            FilterChain(
                filters=[Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack(manager))]
            )
        ],
    )


def routes(numbers: Sequence[int]) -> RouteConfiguration:
    return RouteConfiguration(
        name=ROUTES,
        virtual_hosts=[
            VirtualHost(
                name="all",
                domains=["*"],
                routes=[
                    Route(
                        match=RouteMatch(prefix=f"/{cluster_name(number)}/"),
                        route=RouteAction(cluster=cluster_name(number), timeout=timedelta(seconds=15)),
                    )
                    for number in numbers
                ],
            )
        ],
    )


def all_of(numbers: Sequence[int]) -> list[Message]:
    """All that one node gets."""
    return [
        *(cluster(number) for number in numbers),
        *(endpoints(number) for number in numbers),
        listener(),
        routes(numbers),
    ]


def _from_us() -> ConfigSource:
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def _address(host: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=host, port_value=port))

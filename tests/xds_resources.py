"""Small Envoy resources for tests of `xds/`: real messages, as an author would write them."""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    AggregatedConfigSource,
    ConfigSource,
    SocketAddress,
    TransportSocket,
)
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager, Rds
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    SdsSecretConfig,
    UpstreamTlsContext,
)

from xds.encoder import pack
from xds.resource import Resource


def cluster(name: str, *, stat_name: str = "", secret: str = "") -> Resource:
    """A cluster with EDS, and with TLS by `secret` if one is named; another `stat_name` makes another version of it."""
    ads = ConfigSource(ads=AggregatedConfigSource())
    sds = SdsSecretConfig(name=secret, sds_config=ads)
    tls = UpstreamTlsContext(common_tls_context=CommonTlsContext(validation_context_sds_secret_config=sds))
    return Resource.of(
        Cluster(
            name=name,
            type=ClusterDiscoveryType.EDS,
            eds_cluster_config=ClusterEdsClusterConfig(eds_config=ads),
            alt_stat_name=stat_name,
            transport_socket=TransportSocket(name="tls", typed_config=pack(tls)) if secret else None,
        ),
        origin=(f"Service {name}",),
    )


def endpoints(name: str, *ports: int) -> Resource:
    """The load assignment of a cluster, on loopback."""
    return Resource.of(
        ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[
                LocalityLbEndpoints(
                    lb_endpoints=[
                        LbEndpoint(
                            endpoint=Endpoint(
                                address=Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))
                            )
                        )
                        for port in ports
                    ]
                )
            ],
        )
    )


def listener(name: str, *, routes: str, port: int = 0) -> Resource:
    """A listener whose routes come by RDS."""
    rds = Rds(config_source=ConfigSource(ads=AggregatedConfigSource()), route_config_name=routes)
    manager = HttpConnectionManager(stat_prefix=name, rds=rds)
    return Resource.of(
        Listener(
            name=name,
            address=Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port)),
            filter_chains=[FilterChain(filters=[Filter(name="http", typed_config=pack(manager))])],
        )
    )


def routes(name: str, *clusters: str) -> Resource:
    """A route configuration with one prefix route for each cluster."""
    return Resource.of(
        RouteConfiguration(
            name=name,
            virtual_hosts=[
                VirtualHost(
                    name="all",
                    domains=["*"],
                    routes=[
                        Route(match=RouteMatch(prefix=f"/{target}"), route=RouteAction(cluster=target))
                        for target in clusters
                    ],
                )
            ],
        ),
        origin=(f"HTTPRoute {name}",),
    )


def service(name: str, *ports: int, stat_name: str = "") -> tuple[Resource, Resource]:
    """A cluster and its load assignment."""
    return cluster(name, stat_name=stat_name), endpoints(name, *ports)

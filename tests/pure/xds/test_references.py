"""What a resource refers to is found in its bytes, wherever Envoy lets one name another."""

from __future__ import annotations

import pytest
from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiConfigSource,
    ConfigSource,
    PathConfigSource,
    SelfConfigSource,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    RedirectAction,
    Route,
    RouteAction,
    RouteActionRequestMirrorPolicy,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager, Rds
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import (
    TcpProxy,
    TcpProxyWeightedCluster,
    TcpProxyWeightedClusterClusterWeight,
)
from envoy_data_plane.google.protobuf import Any, UInt32Value

from xds.encoder import encode, pack
from xds.errors import SnapshotError
from xds.references import references, resource_name
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, RESOURCE_TYPES, ROUTE, ResourceType
from xds.wire import length_delimited

ADS = ConfigSource(ads=AggregatedConfigSource())
FROM_US = [ADS, ConfigSource(self=SelfConfigSource()), ConfigSource()]
FROM_ELSEWHERE = [
    ConfigSource(path_config_source=PathConfigSource(path="/etc/envoy/eds.yaml")),
    ConfigSource(api_config_source=ApiConfigSource()),
]


def found(type: ResourceType, message: Message) -> set[tuple[ResourceType, str]]:
    return {(key.type, key.name) for key in references(type, encode(message))}


def eds(*, service_name: str = "", source: ConfigSource = ADS) -> Cluster:
    return Cluster(
        name="pay",
        type=ClusterDiscoveryType.EDS,
        eds_cluster_config=ClusterEdsClusterConfig(eds_config=source, service_name=service_name),
    )


def mirror(cluster: str) -> RouteActionRequestMirrorPolicy:
    return RouteActionRequestMirrorPolicy(cluster=cluster)


def routes() -> RouteConfiguration:
    """One of each way in which routes name clusters; `cluster_header` and redirects name none."""
    actions = [
        RouteAction(cluster="plain", request_mirror_policies=[mirror("mirror-of-route")]),
        RouteAction(
            weighted_clusters=WeightedCluster(
                clusters=[
                    WeightedClusterClusterWeight(name="heavy", weight=90),
                    WeightedClusterClusterWeight(name="light", weight=0),
                ]
            )
        ),
        RouteAction(cluster_header="x-cluster"),
    ]
    return RouteConfiguration(
        name="edge",
        virtual_hosts=[
            VirtualHost(
                name="all",
                domains=["*"],
                routes=[
                    *(Route(match=RouteMatch(prefix="/"), route=action) for action in actions),
                    Route(match=RouteMatch(prefix="/old"), redirect=RedirectAction(path_redirect="/new")),
                ],
                request_mirror_policies=[mirror("mirror-of-host")],
            )
        ],
        request_mirror_policies=[mirror("mirror-of-all")],
    )


CLUSTERS_OF_ROUTES = {
    (CLUSTER, name) for name in ("plain", "heavy", "light", "mirror-of-route", "mirror-of-host", "mirror-of-all")
}


def chain(*configs: Message) -> FilterChain:
    return FilterChain(filters=[Filter(name="a filter", typed_config=pack(config)) for config in configs])


def by_rds(name: str, *, source: ConfigSource = ADS) -> HttpConnectionManager:
    return HttpConnectionManager(stat_prefix="http", rds=Rds(config_source=source, route_config_name=name))


def test_a_cluster_refers_to_endpoints_by_its_own_name_or_the_service_name() -> None:
    assert found(CLUSTER, eds()) == {(ENDPOINT, "pay")}
    assert found(CLUSTER, eds(service_name="default/pay")) == {(ENDPOINT, "default/pay")}


@pytest.mark.parametrize("kind", [kind for kind in ClusterDiscoveryType if kind is not ClusterDiscoveryType.EDS])
def test_only_an_eds_cluster_refers_to_endpoints(kind: ClusterDiscoveryType) -> None:
    cluster = eds()
    cluster.type = kind
    assert found(CLUSTER, cluster) == set()


def test_endpoints_refer_to_nothing() -> None:
    assert found(ENDPOINT, ClusterLoadAssignment(cluster_name="pay")) == set()


@pytest.mark.parametrize(
    "listener",
    [
        Listener(filter_chains=[chain(by_rds("edge"))]),
        Listener(filter_chains=[chain(), chain(UInt32Value(value=1), by_rds("edge"))]),
        Listener(default_filter_chain=chain(by_rds("edge"))),
        Listener(api_listener=ApiListener(api_listener=pack(by_rds("edge")))),
    ],
    ids=["filter chain", "second filter", "default filter chain", "API listener"],
)
def test_a_listener_refers_to_routes_from_each_of_its_chains(listener: Listener) -> None:
    assert found(LISTENER, listener) == {(ROUTE, "edge")}


def test_a_listener_with_several_chains_refers_to_the_routes_of_all() -> None:
    listener = Listener(filter_chains=[chain(by_rds("a")), chain(by_rds("b"))], default_filter_chain=chain(by_rds("a")))
    assert found(LISTENER, listener) == {(ROUTE, "a"), (ROUTE, "b")}


@pytest.mark.parametrize("source", FROM_US)
def test_what_comes_from_this_server_is_a_reference(source: ConfigSource) -> None:
    assert found(CLUSTER, eds(source=source)) == {(ENDPOINT, "pay")}
    assert found(LISTENER, Listener(filter_chains=[chain(by_rds("edge", source=source))])) == {(ROUTE, "edge")}


@pytest.mark.parametrize("source", FROM_ELSEWHERE)
def test_what_comes_from_a_file_or_another_server_is_no_reference(source: ConfigSource) -> None:
    assert found(CLUSTER, eds(source=source)) == set()
    assert found(LISTENER, Listener(filter_chains=[chain(by_rds("edge", source=source))])) == set()


def test_routes_refer_to_clusters_in_every_way_that_names_them() -> None:
    assert found(ROUTE, routes()) == CLUSTERS_OF_ROUTES


def test_routes_inside_a_listener_refer_to_clusters_too() -> None:
    manager = HttpConnectionManager(stat_prefix="http", route_config=routes())
    assert found(LISTENER, Listener(filter_chains=[chain(manager)])) == CLUSTERS_OF_ROUTES


def test_a_tcp_proxy_refers_to_its_clusters() -> None:
    weighted = TcpProxyWeightedCluster(
        clusters=[TcpProxyWeightedClusterClusterWeight(name=name, weight=1) for name in ("b", "c")]
    )
    chains = [chain(TcpProxy(cluster="a")), chain(TcpProxy(weighted_clusters=weighted))]
    assert found(LISTENER, Listener(filter_chains=chains)) == {(CLUSTER, "a"), (CLUSTER, "b"), (CLUSTER, "c")}


@pytest.mark.parametrize(
    ("type", "message", "name"),
    [
        (CLUSTER, eds(), "pay"),
        (ENDPOINT, ClusterLoadAssignment(cluster_name="default/pay"), "default/pay"),
        (LISTENER, Listener(name="http", stat_prefix="not this"), "http"),
        (ROUTE, routes(), "edge"),
        (ROUTE, RouteConfiguration(), ""),
    ],
)
def test_each_type_tells_its_name(type: ResourceType, message: Message, name: str) -> None:
    assert resource_name(type, encode(message)) == name


@pytest.mark.parametrize("type", RESOURCE_TYPES)
@pytest.mark.parametrize(
    "body", [b"\x0a\x05pay", b"\xff" * 12, length_delimited(1, b"\xff")], ids=["cut short", "no tag", "no UTF-8"]
)
def test_bytes_that_are_no_such_message_are_refused(type: ResourceType, body: bytes) -> None:
    for read in (references, resource_name):
        with pytest.raises(SnapshotError, match=rf"got {len(body)} bytes that are no {type.type_url}"):
            read(type, body)


def test_a_filter_that_is_not_what_it_says_is_refused() -> None:
    packed = Any(type_url=pack(by_rds("edge")).type_url, value=b"\x1a\x05edge")
    listener = Listener(filter_chains=[FilterChain(filters=[Filter(typed_config=packed)])])
    with pytest.raises(SnapshotError, match=r"got 6 bytes that are no .*v3\.HttpConnectionManager"):
        references(LISTENER, encode(listener))

"""Secrets, filters by ECDS, scopes and virtual hosts: what refers to them, and what they refer to."""

from __future__ import annotations

import pytest
from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterCustomClusterType, ClusterTransportSocketMatch
from envoy_data_plane.envoy.config.cluster.v3 import Filter as ClusterFilter
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ConfigSource,
    ExtensionConfigSource,
    PathConfigSource,
    TransportSocket,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener, ListenerFilter
from envoy_data_plane.envoy.config.route.v3 import (
    Route,
    RouteAction,
    RouteActionRequestMirrorPolicy,
    RouteConfiguration,
    RouteMatch,
    ScopedRouteConfiguration,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.clusters.aggregate.v3 import ClusterConfig
from envoy_data_plane.envoy.extensions.filters.http.oauth2.v3 import OAuth2, OAuth2Config, OAuth2Credentials
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
    ScopedRds,
    ScopedRouteConfigurationsList,
    ScopedRoutes,
)
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.extensions.transport_sockets.http_11_proxy.v3 import Http11ProxyUpstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.internal_upstream.v3 import InternalUpstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.proxy_protocol.v3 import ProxyProtocolUpstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.quic.v3 import QuicDownstreamTransport, QuicUpstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.starttls.v3 import StartTlsConfig, UpstreamStartTlsConfig
from envoy_data_plane.envoy.extensions.transport_sockets.tap.v3 import Tap
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    CommonTlsContextCombinedCertificateValidationContext,
    DownstreamTlsContext,
    SdsSecretConfig,
    Secret,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions
from envoy_data_plane.envoy.service.runtime.v3 import Runtime

from xds.encoder import encode, pack
from xds.errors import SnapshotError
from xds.references import references, resource_name
from xds.resource import Resource
from xds.resource_types import (
    CLUSTER,
    EXTENSION,
    LISTENER,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    VIRTUAL_HOST,
    ResourceType,
)

ADS = ConfigSource(ads=AggregatedConfigSource())
FILE = ConfigSource(path_config_source=PathConfigSource(path="/etc/envoy/x.yaml"))


def found(type: ResourceType, message: Message) -> set[tuple[ResourceType, str]]:
    return {(key.type, key.name) for key in references(type, encode(message))}


def sds(name: str, source: ConfigSource | None = ADS) -> SdsSecretConfig:
    return SdsSecretConfig(name=name, sds_config=source)


def tls(source: ConfigSource | None = ADS) -> CommonTlsContext:
    return CommonTlsContext(
        tls_certificate_sds_secret_configs=[sds("certificate", source)],
        combined_validation_context=CommonTlsContextCombinedCertificateValidationContext(
            validation_context_sds_secret_config=sds("roots", source)
        ),
    )


UPSTREAM = UpstreamTlsContext(common_tls_context=tls())
DOWNSTREAM = DownstreamTlsContext(common_tls_context=tls(), session_ticket_keys_sds_secret_config=sds("tickets"))
OF_UPSTREAM = {(SECRET, "certificate"), (SECRET, "roots")}
OF_DOWNSTREAM = {*OF_UPSTREAM, (SECRET, "tickets")}


def socket(config: Message) -> TransportSocket:
    return TransportSocket(name="socket", typed_config=pack(config))


UPSTREAM_SOCKETS = [
    UPSTREAM,
    QuicUpstreamTransport(upstream_tls_context=UPSTREAM),
    UpstreamStartTlsConfig(tls_socket_config=UPSTREAM),
    ProxyProtocolUpstreamTransport(transport_socket=socket(UPSTREAM)),
    Http11ProxyUpstreamTransport(transport_socket=socket(UPSTREAM)),
    InternalUpstreamTransport(transport_socket=socket(UPSTREAM)),
    Tap(transport_socket=socket(ProxyProtocolUpstreamTransport(transport_socket=socket(UPSTREAM)))),
]


@pytest.mark.parametrize("config", UPSTREAM_SOCKETS, ids=lambda config: type(config).__name__)
def test_a_cluster_refers_to_the_secrets_of_its_transport_sockets(config: Message) -> None:
    assert found(CLUSTER, Cluster(transport_socket=socket(config))) == OF_UPSTREAM
    matches = [ClusterTransportSocketMatch(name="mtls", transport_socket=socket(config))]
    assert found(CLUSTER, Cluster(transport_socket_matches=matches)) == OF_UPSTREAM


@pytest.mark.parametrize(
    "config",
    [
        DOWNSTREAM,
        QuicDownstreamTransport(downstream_tls_context=DOWNSTREAM),
        StartTlsConfig(tls_socket_config=DOWNSTREAM),
    ],
    ids=lambda config: type(config).__name__,
)
def test_a_listener_refers_to_the_secrets_of_its_chains(config: Message) -> None:
    chain = FilterChain(transport_socket=socket(config))
    assert found(LISTENER, Listener(filter_chains=[chain])) == OF_DOWNSTREAM
    assert found(LISTENER, Listener(default_filter_chain=chain)) == OF_DOWNSTREAM


def test_a_validation_context_of_its_own_is_a_secret_too() -> None:
    context = CommonTlsContext(validation_context_sds_secret_config=sds("roots"))
    cluster = Cluster(transport_socket=socket(UpstreamTlsContext(common_tls_context=context)))
    assert found(CLUSTER, cluster) == {(SECRET, "roots")}


@pytest.mark.parametrize("source", [FILE, None], ids=["a file", "the bootstrap"])
def test_a_secret_from_elsewhere_is_no_reference(source: ConfigSource | None) -> None:
    context = UpstreamTlsContext(common_tls_context=tls(source))
    assert found(CLUSTER, Cluster(transport_socket=socket(context))) == set()


def test_an_aggregate_cluster_refers_to_its_clusters() -> None:
    config = ClusterConfig(clusters=["near", "far"])
    cluster = Cluster(cluster_type=ClusterCustomClusterType(name="envoy.clusters.aggregate", typed_config=pack(config)))
    assert found(CLUSTER, cluster) == {(CLUSTER, "near"), (CLUSTER, "far")}


def by_ecds(source: ConfigSource = ADS, default: Message | None = None) -> ExtensionConfigSource:
    return ExtensionConfigSource(config_source=source, default_config=pack(default) if default else None)


def http(*filters: HttpFilter, **fields: object) -> Listener:
    manager = HttpConnectionManager(stat_prefix="http", http_filters=list(filters), **fields)  # type: ignore[arg-type]
    return Listener(filter_chains=[FilterChain(filters=[Filter(name="http", typed_config=pack(manager))])])


def test_filters_that_come_by_ecds_are_references_wherever_they_stand() -> None:
    assert found(LISTENER, http(HttpFilter(name="a", config_discovery=by_ecds()))) == {(EXTENSION, "a")}
    router = Router(upstream_http_filters=[HttpFilter(name="b", config_discovery=by_ecds())])
    assert found(LISTENER, http(HttpFilter(name="r", typed_config=pack(router)))) == {(EXTENSION, "b")}
    network = FilterChain(filters=[Filter(name="c", config_discovery=by_ecds())])
    early = ListenerFilter(name="d", config_discovery=by_ecds())
    listener = Listener(filter_chains=[network], listener_filters=[early])
    assert found(LISTENER, listener) == {(EXTENSION, "c"), (EXTENSION, "d")}
    options = HttpProtocolOptions(http_filters=[HttpFilter(name="e", config_discovery=by_ecds())])
    cluster = Cluster(
        filters=[ClusterFilter(name="f", config_discovery=by_ecds())],
        typed_extension_protocol_options={"http": pack(options)},
    )
    assert found(CLUSTER, cluster) == {(EXTENSION, "e"), (EXTENSION, "f")}


def test_a_filter_from_a_file_is_no_reference_but_its_default_counts() -> None:
    discovery = by_ecds(FILE, TcpProxy(cluster="fallback"))
    listener = Listener(filter_chains=[FilterChain(filters=[Filter(name="tcp", config_discovery=discovery)])])
    assert found(LISTENER, listener) == {(CLUSTER, "fallback")}


def test_an_extension_refers_to_what_its_configuration_refers_to() -> None:
    tcp = TypedExtensionConfig(name="tcp", typed_config=pack(TcpProxy(cluster="pay")))
    assert found(EXTENSION, tcp) == {(CLUSTER, "pay")}
    credentials = OAuth2Credentials(token_secret=sds("token"), hmac_secret=sds("hmac"))
    login = OAuth2(config=OAuth2Config(credentials=credentials))
    assert found(EXTENSION, TypedExtensionConfig(name="login", typed_config=pack(login))) == {
        (SECRET, "token"),
        (SECRET, "hmac"),
    }


def test_scopes_refer_to_their_routes() -> None:
    scope = ScopedRouteConfiguration(name="blue", route_configuration_name="blue-routes")
    assert found(SCOPED_ROUTE, scope) == {(ROUTE, "blue-routes")}
    inside = RouteConfiguration(request_mirror_policies=[RouteActionRequestMirrorPolicy(cluster="mirror")])
    assert found(SCOPED_ROUTE, ScopedRouteConfiguration(name="x", route_configuration=inside)) == {(CLUSTER, "mirror")}


def test_a_listener_refers_to_the_routes_of_the_scopes_that_it_lists() -> None:
    scope = ScopedRouteConfiguration(name="blue", route_configuration_name="blue-routes")
    listed = ScopedRouteConfigurationsList(scoped_route_configurations=[scope])
    for source, expected in ((ADS, {(ROUTE, "blue-routes")}), (FILE, set())):
        scopes = ScopedRoutes(name="s", rds_config_source=source, scoped_route_configurations_list=listed)
        assert found(LISTENER, http(scoped_routes=scopes)) == expected
    by_srds = ScopedRoutes(name="s", rds_config_source=ADS, scoped_rds=ScopedRds(scoped_rds_config_source=ADS))
    assert found(LISTENER, http(scoped_routes=by_srds)) == set()  # all scopes are asked for, none by name
    assert found(LISTENER, http(rds=Rds(config_source=ADS, route_config_name="r"))) == {(ROUTE, "r")}


def host(*domains: str, name: str = "edge/shop") -> VirtualHost:
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster="pay"))
    return VirtualHost(name=name, domains=list(domains), routes=[route])


def test_a_virtual_host_refers_to_its_clusters() -> None:
    assert found(VIRTUAL_HOST, host("shop.example")) == {(CLUSTER, "pay")}


@pytest.mark.parametrize(
    ("type", "message"),
    [
        (SECRET, Secret(name="x")),
        (RUNTIME, Runtime(name="x")),
        (EXTENSION, TypedExtensionConfig(name="x")),
        (SCOPED_ROUTE, ScopedRouteConfiguration(name="x")),
        (VIRTUAL_HOST, VirtualHost(name="x")),
    ],
)
def test_each_type_tells_its_name(type: ResourceType, message: Message) -> None:
    assert resource_name(type, encode(message)) == "x"


def test_configurations_nested_without_end_are_refused() -> None:
    config: Message = UPSTREAM
    for _ in range(1_200):
        config = Tap(transport_socket=socket(config))
    with pytest.raises(SnapshotError, match="nested too deeply"):
        Resource.of(Cluster(name="deep", transport_socket=socket(config)))


# --- names, aliases and opaque types ---


def test_a_virtual_host_is_named_after_its_route_configuration_and_found_by_its_domains() -> None:
    resource = Resource.of(host("shop.example", "*.shop.example", name="edge/shop"))
    assert resource.name == "edge/shop"
    assert resource.aliases == ("edge/shop.example", "edge/*.shop.example")
    assert Resource.of(host("shop.example", name="shop"), name="edge/shop").name == "edge/shop"
    for wrong in ("shop", "/shop", "edge/"):
        with pytest.raises(SnapshotError, match="ROUTECONFIG/HOST"):
            Resource.of(host("shop.example", name=wrong))


def test_a_name_is_the_messages_own_or_is_refused() -> None:
    assert Resource.of(Secret(name="a"), name="a").name == "a"
    with pytest.raises(SnapshotError, match="got 'b' for a message named 'a'"):
        Resource.of(Secret(name="a"), name="b")
    with pytest.raises(SnapshotError, match="without a name"):
        Resource.of(Secret())
    with pytest.raises(SnapshotError, match="want it in the message"):
        Resource.of(Secret(), name="a")

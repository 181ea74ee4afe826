"""A small mesh that uses every resource type, for a real Envoy: what it is started with, and what it is then served.

Each feature has a listener of its own, so that each can be tested, and changed, without the others.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    AggregatedConfigSource,
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    ConfigSource,
    DataSource,
    ExtensionConfigSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    RuntimeFractionalPercent,
    SocketAddress,
    TransportSocket,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    ScopedRouteConfiguration,
    ScopedRouteConfigurationKey,
    ScopedRouteConfigurationKeyFragment,
    Vhds,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.fault.v3 import FaultAbort, HttpFault
from envoy_data_plane.envoy.extensions.filters.http.on_demand.v3 import OnDemand, OnDemandCds
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
    ScopedRds,
    ScopedRoutes,
    ScopedRoutesScopeKeyBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    DownstreamTlsContext,
    SdsSecretConfig,
    Secret,
    TlsCertificate,
)
from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher
from envoy_data_plane.envoy.type.v3 import FractionalPercent
from envoy_data_plane.google.protobuf import Struct, Value

from tests.strict_client import Way
from xds import Resource
from xds.encoder import pack

_FAULT_URL = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"


def source(way: Way) -> ConfigSource:
    """Where an Envoy gets a type: the aggregated stream, or a stream of its own."""
    if way.is_aggregated:
        return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
    api = ApiConfigSource(
        api_type=ApiConfigSourceApiType.DELTA_GRPC if way.is_delta else ApiConfigSourceApiType.GRPC,
        transport_api_version=ApiVersion.V3,
        grpc_services=[GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name="xds"))],
    )
    return ConfigSource(api_config_source=api, resource_api_version=ApiVersion.V3)


def bootstrap(way: Way, port: int, *, node: str) -> str:
    """Listeners and a runtime layer come from the server on loopback's `port`. Clusters are asked for on demand."""
    api = {
        "api_type": "DELTA_GRPC" if way.is_delta else "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
    }
    of_type = {"resource_api_version": "V3", **({"ads": {}} if way.is_aggregated else {"api_config_source": api})}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    http2 = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    xds = {
        "name": "xds",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": "xds",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    rush = {"name": "rush", "rtds_layer": {"name": "rush", "rtds_config": of_type}}
    whole = {
        "node": {"id": node, "cluster": "every-type"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "layered_runtime": {"layers": [rush]},
        "dynamic_resources": {"lds_config": of_type, **({"ads_config": api} if way.is_aggregated else {})},
        "static_resources": {"clusters": [xds]},
    }
    return json.dumps(whole)


# --- secrets ---


def secure(way: Way) -> Resource:
    """A listener "secure" that answers "secure" over TLS, with the certificate of the secret "certificate"."""
    sds = SdsSecretConfig(name="certificate", sds_config=source(way))
    tls = DownstreamTlsContext(common_tls_context=CommonTlsContext(tls_certificate_sds_secret_configs=[sds]))
    socket = TransportSocket(name="tls", typed_config=pack(tls))
    return _listener("secure", _answering("secure"), socket=socket)


def certificate(cert: Path, key: Path) -> Resource:
    return Resource.of(
        Secret(
            name="certificate",
            tls_certificate=TlsCertificate(
                certificate_chain=DataSource(inline_string=cert.read_text()),
                private_key=DataSource(inline_string=key.read_text()),
            ),
        )
    )


# --- runtime ---


def by_runtime() -> Resource:
    """A listener "runtime" that answers "rush" if the runtime says so by `mesh.rush`, a percentage, else "calm"."""
    never = RuntimeFractionalPercent(default_value=FractionalPercent(numerator=0), runtime_key="mesh.rush")
    host = VirtualHost(
        name="all",
        domains=["*"],
        routes=[
            Route(match=RouteMatch(prefix="/", runtime_fraction=never), direct_response=_says("rush")),
            Route(match=RouteMatch(prefix="/"), direct_response=_says("calm")),
        ],
    )
    return _listener("runtime", _manager("runtime", route_config=RouteConfiguration(name="r", virtual_hosts=[host])))


def runtime(percent: int, *, ttl: float | None = None) -> Resource:
    layer = Struct(fields={"mesh.rush": Value(number_value=percent)})
    return Resource.of(Runtime(name="rush", layer=layer), ttl=ttl)


# --- scoped routes ---


def scoped(way: Way) -> Resource:
    """A listener "scoped" whose routes are those of the scope that the header `x-zone` names."""
    header = ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor(name="x-zone", index=0)
    builder = ScopedRoutesScopeKeyBuilder(
        fragments=[ScopedRoutesScopeKeyBuilderFragmentBuilder(header_value_extractor=header)]
    )
    scopes = ScopedRoutes(
        name="zones",
        scope_key_builder=builder,
        rds_config_source=source(way),
        scoped_rds=ScopedRds(scoped_rds_config_source=source(way)),
    )
    return _listener("scoped", _manager("scoped", scoped_routes=scopes))


def scope(zone: str, routes: str) -> Resource:
    key = ScopedRouteConfigurationKey(fragments=[ScopedRouteConfigurationKeyFragment(string_key=zone)])
    return Resource.of(ScopedRouteConfiguration(name=f"scope-{zone}", route_configuration_name=routes, key=key))


def routes(name: str, answer: str) -> Resource:
    return Resource.of(RouteConfiguration(name=name, virtual_hosts=[_host(["*"], answer)]))


def broken_routes(name: str) -> Resource:
    """Routes that Envoy refuses, in words that do not name them."""
    match = RouteMatch(safe_regex=RegexMatcher(regex="("))
    host = VirtualHost(name="all", domains=["*"], routes=[Route(match=match, direct_response=_says("never"))])
    return Resource.of(RouteConfiguration(name=name, virtual_hosts=[host]))


# --- virtual hosts on demand ---


def by_hosts(way: Way) -> tuple[Resource, Resource]:
    """A listener "hosts" whose virtual hosts are asked for when a request for them comes."""
    rds = Rds(config_source=source(way), route_config_name="hosts")
    listener = _listener("hosts", _manager("hosts", _filter("on-demand", OnDemand()), rds=rds))
    return listener, Resource.of(RouteConfiguration(name="hosts", vhds=Vhds(config_source=source(way))))


def virtual_host(host: str, answer: str) -> Resource:
    return Resource.of(_host([host], answer, name=f"hosts/{host}"))


# --- clusters on demand ---


def by_clusters(way: Way) -> Resource:
    """A listener "clusters" that sends a request to the cluster that its header `x-cluster` names, whenever that comes
    to be known."""
    odcds = OnDemandCds(source=source(way), timeout=timedelta(seconds=5))
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster_header="x-cluster"))
    host = VirtualHost(name="all", domains=["*"], routes=[route])
    manager = _manager(
        "clusters",
        _filter("on-demand", OnDemand(odcds=odcds)),
        route_config=RouteConfiguration(name="c", virtual_hosts=[host]),
    )
    return _listener("clusters", manager)


def backend(way: Way, name: str, port: int) -> tuple[Resource, Resource]:
    """A cluster by EDS with one endpoint on loopback."""
    cluster = Cluster(
        name=name,
        type=ClusterDiscoveryType.EDS,
        connect_timeout=timedelta(seconds=5),
        eds_cluster_config=ClusterEdsClusterConfig(eds_config=source(way)),
    )
    endpoint = LbEndpoint(endpoint=Endpoint(address=_address(port)))
    assignment = ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])])
    return Resource.of(cluster), Resource.of(assignment)


# --- filters by ECDS ---


def filtered(way: Way) -> Resource:
    """A listener "filtered" whose filter "gate" comes by ECDS; where that lets a request pass, it says "passed"."""
    discovery = ExtensionConfigSource(config_source=source(way), type_urls=[_FAULT_URL])
    gate = HttpFilter(name="gate", config_discovery=discovery)
    return _listener("filtered", _answering("passed", gate))


def gate(percent: int) -> Resource:
    """The filter: it ends `percent` of requests with 418."""
    fault = HttpFault(abort=FaultAbort(http_status=418, percentage=FractionalPercent(numerator=percent)))
    return Resource.of(TypedExtensionConfig(name="gate", typed_config=pack(fault)))


# --- parts ---


def _address(port: int) -> Address:
    return Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))


def _says(words: str) -> DirectResponseAction:
    return DirectResponseAction(status=200, body=DataSource(inline_string=words))


def _host(domains: list[str], answer: str, *, name: str = "all") -> VirtualHost:
    return VirtualHost(
        name=name,
        domains=domains,
        routes=[Route(match=RouteMatch(prefix="/"), direct_response=_says(answer))],
    )


def _answering(words: str, *filters: HttpFilter) -> HttpConnectionManager:
    return _manager(words, *filters, route_config=RouteConfiguration(name=words, virtual_hosts=[_host(["*"], words)]))


def _filter(name: str, config: Message) -> HttpFilter:
    return HttpFilter(name=name, typed_config=pack(config))


def _manager(stat_prefix: str, *filters: HttpFilter, **fields: Message) -> HttpConnectionManager:
    return HttpConnectionManager(
        stat_prefix=stat_prefix,
        http_filters=[*filters, _filter("router", Router())],
        **fields,  # type: ignore[arg-type]
    )


def _listener(name: str, manager: HttpConnectionManager, *, socket: TransportSocket | None = None) -> Resource:
    chain = FilterChain(filters=[Filter(name="http", typed_config=pack(manager))], transport_socket=socket)
    return Resource.of(Listener(name=name, address=_address(0), filter_chains=[chain]))

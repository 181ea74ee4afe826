"""Listener: one port of a Gateway. HTTP is served by connection managers that route by RDS; the rest by TCP proxies."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import Address, HttpProtocolOptions, SocketAddress
from envoy_data_plane.envoy.config.listener.v3 import (
    AdditionalAddress,
    Filter,
    FilterChain,
    FilterChainMatch,
    Listener,
    ListenerFilter,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector.v3 import TlsInspector
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
    Rds,
)

from policy.compiler import tls, waiting
from policy.compiler.features import CONNECTION_MANAGER_STEPS
from policy.compiler.http_filters import chain
from policy.compiler.inputs import BoundPort, HttpListener, StreamListener
from policy.compiler.sources import ads
from policy.compiler.streams import tcp_proxy
from xds.encoder import pack
from xds.messages import unchecked

_HTTP = "envoy.filters.network.http_connection_manager"
_TCP = "envoy.filters.network.tcp_proxy"
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # a gateway that names no address is meant to be reached
_HEADERS_TIMEOUT = timedelta(seconds=10)
_IDLE_TIMEOUT = timedelta(hours=1)

_Filter = unchecked(Filter)
_FilterChain = unchecked(FilterChain)
_HttpConnectionManager = unchecked(HttpConnectionManager)
_HttpFilter = unchecked(HttpFilter)
_Listener = unchecked(Listener)
_ListenerFilter = unchecked(ListenerFilter)
_Rds = unchecked(Rds)
_Router = unchecked(Router)


def listener(bound: BoundPort) -> Listener:
    """The listener of one port, with a filter chain for each of what it serves."""
    first, *others = [_address(address, bound.port) for address in bound.addresses or (_ANY_ADDRESS,)]
    return _Listener(
        name=bound.name,
        address=first,
        additional_addresses=[AdditionalAddress(address=other) for other in others],
        listener_filters=[_server_name_reader()] if bound.reads_server_names else [],
        filter_chains=[_filter_chain(chain, beside_plain=bound.takes_plain) for chain in bound.chains],
    )


def _server_name_reader() -> ListenerFilter:
    return _ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=pack(TlsInspector()))


def _filter_chain(chain: HttpListener | StreamListener, *, beside_plain: bool) -> FilterChain:
    made = _FilterChain(name=chain.name, filters=[_network_filter(chain)])
    if chain.certificates and beside_plain:
        made.name = f"{chain.name}/tls"
        made.filter_chain_match = FilterChainMatch(transport_protocol="tls")
    if chain.server_names:
        made.filter_chain_match = FilterChainMatch(server_names=list(chain.server_names))
    if chain.certificates:
        alpn = tls.HTTP_PROTOCOLS if isinstance(chain, HttpListener) else ()
        made.transport_socket = tls.socket(tls.downstream(chain.certificates, alpn=alpn, clients=chain.clients))
    return made


def _network_filter(chain: HttpListener | StreamListener) -> Filter:
    match chain:
        case HttpListener():
            return _Filter(name=_HTTP, typed_config=pack(_connection_manager(chain)))
        case StreamListener():
            return _Filter(name=_TCP, typed_config=pack(tcp_proxy(chain)))


def _connection_manager(served: HttpListener) -> HttpConnectionManager:
    """Paths are normalised before they are matched, or "/public/../admin" would meet the rules of "/public" (Envoy,
    "Configuring Envoy as an edge proxy")."""
    escaped = HttpConnectionManagerPathWithEscapedSlashesAction
    manager = _HttpConnectionManager(
        stat_prefix=served.name,
        rds=_Rds(config_source=ads(), route_config_name=served.name),
        http_filters=[
            *(waiting.filters() if served.on_demand else ()),
            *chain(served.asked),
            _HttpFilter(name="envoy.filters.http.router", typed_config=pack(_Router())),
        ],
        common_http_protocol_options=HttpProtocolOptions(idle_timeout=_IDLE_TIMEOUT),
        request_headers_timeout=_HEADERS_TIMEOUT,
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=escaped.UNESCAPE_AND_REDIRECT,
        strip_any_host_port=True,
    )
    for step in CONNECTION_MANAGER_STEPS:
        step(manager, served)
    return manager


def _address(address: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=address, port_value=port))

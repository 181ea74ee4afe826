"""Listener: one address and port of a Gateway, with an HTTP connection manager that routes by RDS."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import Address, HttpProtocolOptions, SocketAddress
from envoy_data_plane.envoy.config.listener.v3 import AdditionalAddress, Filter, FilterChain, Listener
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
    Rds,
)

from policy.compiler.clusters import ads
from policy.compiler.features import CONNECTION_MANAGER_STEPS
from policy.compiler.http_filters import chain
from policy.compiler.inputs import HttpListener
from xds.encoder import pack

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # a gateway that names no address is meant to be reached
_HEADERS_TIMEOUT = timedelta(seconds=10)
_IDLE_TIMEOUT = timedelta(hours=1)


def listener(served: HttpListener) -> Listener:
    """The listener on `served.port` of `served.addresses` (all of the machine's, if there are none). It takes its
    routes from the route configuration of the same name."""
    first, *others = [_address(address, served.port) for address in served.addresses or (_ANY_ADDRESS,)]
    return Listener(
        name=served.name,
        address=first,
        additional_addresses=[AdditionalAddress(address=other) for other in others],
        filter_chains=[
            FilterChain(
                filters=[
                    Filter(
                        name="envoy.filters.network.http_connection_manager",
                        typed_config=pack(_connection_manager(served)),
                    )
                ]
            )
        ],
    )


def _connection_manager(served: HttpListener) -> HttpConnectionManager:
    """Paths are normalised before they are matched, or "/public/../admin" would meet the rules of "/public" (Envoy,
    "Configuring Envoy as an edge proxy")."""
    escaped = HttpConnectionManagerPathWithEscapedSlashesAction
    manager = HttpConnectionManager(
        stat_prefix=served.name,
        rds=Rds(config_source=ads(), route_config_name=served.name),
        http_filters=[
            *chain(served.asked),
            HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router())),
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

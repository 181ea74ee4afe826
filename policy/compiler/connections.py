"""Connections to a backend: BackendPolicy's timeouts, keepalive and protocol on a cluster."""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, UpstreamConnectionOptions
from envoy_data_plane.envoy.config.core.v3 import Http1ProtocolOptions, Http2ProtocolOptions, TcpKeepalive
from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptions as CommonHttpProtocolOptions
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsAutoHttpConfig,
    HttpProtocolOptionsExplicitHttpConfig,
    HttpProtocolOptionsUseDownstreamHttpConfig,
)

from policy.backend_policy import BackendPolicy, Connection, TCPKeepalive
from policy.compiler.inputs import ReachedBackend
from policy.compiler.load_balancing import hash_policies
from registry.model import Protocol
from xds.encoder import pack

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""Their name among a cluster's `typed_extension_protocol_options`."""


def on_cluster(cluster: Cluster, reached: ReachedBackend) -> None:
    """The effective BackendPolicy of the backend. Comes after what says whether the cluster speaks TLS."""
    policy = reached.policies.one(BackendPolicy)
    if policy is None:
        return
    connection = policy.spec.connection or Connection()
    if connection.connect_timeout is not None:
        cluster.connect_timeout = connection.connect_timeout
    if connection.tcp_keepalive is not None:
        cluster.upstream_connection_options = UpstreamConnectionOptions(
            tcp_keepalive=_keepalive(connection.tcp_keepalive)
        )
    options = HttpProtocolOptions(hash_policy=hash_policies(reached.policies))
    if connection.idle_timeout is not None or connection.max_duration is not None or connection.max_requests:
        options.common_http_protocol_options = CommonHttpProtocolOptions(
            idle_timeout=connection.idle_timeout,
            max_connection_duration=connection.max_duration or None,
            max_requests_per_connection=connection.max_requests,
        )
    if options.hash_policy or options.common_http_protocol_options or policy.spec.protocol is not None:
        _speak(options, reached, over_tls=cluster.transport_socket is not None)
        cluster.typed_extension_protocol_options = {HTTP_OPTIONS: pack(options)}


def speaks_http2(reached: ReachedBackend) -> bool:
    """Whether HTTP/2 is spoken to the backend, whatever the client speaks and TLS negotiates."""
    policy = reached.policies.one(BackendPolicy)
    if policy is not None and policy.spec.protocol is not None:
        return policy.spec.protocol == "HTTP2"
    return reached.protocol is Protocol.HTTP2


def _speak(options: HttpProtocolOptions, reached: ReachedBackend, *, over_tls: bool) -> None:
    policy = reached.policies.one(BackendPolicy)
    http1, http2 = Http1ProtocolOptions(), Http2ProtocolOptions()
    if policy is not None and policy.spec.protocol == "Auto":
        if over_tls:
            options.auto_config = HttpProtocolOptionsAutoHttpConfig(
                http_protocol_options=http1, http2_protocol_options=http2
            )
        else:  # without TLS nothing is negotiated
            options.use_downstream_protocol_config = HttpProtocolOptionsUseDownstreamHttpConfig(
                http_protocol_options=http1, http2_protocol_options=http2
            )
    elif speaks_http2(reached):
        options.explicit_http_config = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=http2)
    else:
        options.explicit_http_config = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=http1)


def _keepalive(keepalive: TCPKeepalive) -> TcpKeepalive:
    return TcpKeepalive(
        keepalive_time=round(keepalive.time.total_seconds()),
        keepalive_interval=round(keepalive.interval.total_seconds()),
        keepalive_probes=keepalive.probes,
    )

"""Cluster: a server outside the mesh, found by DNS."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterCustomClusterType
from envoy_data_plane.envoy.config.core.v3 import Address, DataSource, SocketAddress, TransportSocket
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.clusters.common.dns.v3 import DnsLookupFamily
from envoy_data_plane.envoy.extensions.clusters.dns.v3 import DnsCluster
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    UpstreamTlsContext,
)

from policy.compiler.clusters import protocol_options
from policy.compiler.inputs import ExternalHost
from xds.encoder import pack

SYSTEM_TRUST = "/etc/ssl/certs/ca-certificates.crt"
"""Where the machines of the proxies keep the authorities that they trust."""

_CONNECT_TIMEOUT = timedelta(seconds=5)


def external_cluster(host: ExternalHost) -> Cluster:
    """The cluster `host.name`."""
    return Cluster(
        name=host.name,
        cluster_type=ClusterCustomClusterType(
            name="envoy.clusters.dns",
            typed_config=pack(DnsCluster(dns_lookup_family=DnsLookupFamily.V4_PREFERRED)),
        ),
        load_assignment=ClusterLoadAssignment(
            cluster_name=host.name,
            endpoints=[
                LocalityLbEndpoints(
                    lb_endpoints=[
                        LbEndpoint(
                            endpoint=Endpoint(
                                address=Address(socket_address=SocketAddress(address=host.host, port_value=host.port)),
                                hostname=host.host,
                            )
                        )
                    ]
                )
            ],
        ),
        connect_timeout=_CONNECT_TIMEOUT,
        typed_extension_protocol_options=protocol_options(host.protocol),
        transport_socket=_verified_tls(host) if host.tls else None,
    )


def _verified_tls(host: ExternalHost) -> TransportSocket:
    """TLS to a server that proves to be `host`: its name is sent as SNI and must be in the certificate."""
    trusted = DataSource(inline_string=host.ca) if host.ca is not None else DataSource(filename=SYSTEM_TRUST)
    context = UpstreamTlsContext(
        common_tls_context=CommonTlsContext(validation_context=CertificateValidationContext(trusted_ca=trusted)),
        sni=host.host,
        auto_sni_san_validation=True,
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))

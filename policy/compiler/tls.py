"""TLS of listeners and clusters. Certificates and trust bundles are named here, and come by SDS."""

from __future__ import annotations

from collections.abc import Iterable

from envoy_data_plane.envoy.config.core.v3 import DataSource, TransportSocket
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    CommonTlsContextCombinedCertificateValidationContext,
    DownstreamTlsContext,
    SdsSecretConfig,
    Secret,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsCertificate,
    TlsParameters,
    TlsParametersTlsProtocol,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from policy.compiler.inputs import Tls
from policy.compiler.sources import ads
from policy.identities import CertificateChain, Identity, TrustBundle
from xds.encoder import pack

SOCKET = "envoy.transport_sockets.tls"
SYSTEM_TRUST = "/etc/ssl/certs/ca-certificates.crt"
"""Where the machines of the proxies keep the authorities that they trust."""

HTTP_PROTOCOLS = ("h2", "http/1.1")

_PARAMETERS = TlsParameters(tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2)


def downstream(
    certificates: Iterable[Identity], *, alpn: Iterable[str] = (), clients: Identity | None = None
) -> DownstreamTlsContext:
    """TLS that ends at a listener, which is the server of `certificates`. With `clients`, a client must show a
    certificate of that identity's authorities."""
    common = CommonTlsContext(
        tls_params=_PARAMETERS,
        tls_certificate_sds_secret_configs=[by_sds(identity.certificate_secret) for identity in certificates],
        alpn_protocols=list(alpn),
    )
    if clients is not None:
        common.validation_context_sds_secret_config = by_sds(clients.trust_secret)
    return DownstreamTlsContext(
        common_tls_context=common, require_client_certificate=True if clients is not None else None
    )


def upstream(wanted: Tls) -> TransportSocket:
    """TLS to a server that proves to be what `wanted` says."""
    context = CertificateValidationContext(match_typed_subject_alt_names=_names(wanted))
    common = CommonTlsContext(tls_params=_PARAMETERS)
    if wanted.identity is not None:
        common.tls_certificate_sds_secret_configs = [by_sds(wanted.identity.certificate_secret)]
    if wanted.trust is not None:
        common.combined_validation_context = CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=context,
            validation_context_sds_secret_config=by_sds(wanted.trust.trust_secret),
        )
    else:
        inline = DataSource(inline_string=wanted.ca) if wanted.ca is not None else DataSource(filename=SYSTEM_TRUST)
        context.trusted_ca = inline
        common.validation_context = context
    return socket(UpstreamTlsContext(common_tls_context=common, sni=wanted.sni))


def _names(wanted: Tls) -> list[SubjectAltNameMatcher]:
    kinds = SubjectAltNameMatcherSanType
    hosts = wanted.names or (() if wanted.uris else (wanted.sni,))
    return [
        SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name))
        for kind, names in ((kinds.DNS, hosts), (kinds.URI, wanted.uris))
        for name in names
    ]


def socket(context: DownstreamTlsContext | UpstreamTlsContext) -> TransportSocket:
    return TransportSocket(name=SOCKET, typed_config=pack(context))


def by_sds(name: str) -> SdsSecretConfig:
    """The secret `name`, from the stream that brought what refers to it."""
    return SdsSecretConfig(name=name, sds_config=ads())


def certificate_secret(name: str, certificate: CertificateChain) -> Secret:
    return Secret(
        name=name,
        tls_certificate=TlsCertificate(
            certificate_chain=DataSource(inline_string=certificate.chain),
            private_key=DataSource(inline_string=certificate.key),
        ),
    )


def trust_secret(name: str, trust: TrustBundle) -> Secret:
    return Secret(
        name=name,
        validation_context=CertificateValidationContext(trusted_ca=DataSource(inline_string=trust.authorities)),
    )

"""TLS for the two listeners, from the files that the configuration names."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from controlplane.config import Config
from controlplane.errors import StartError


def admin(config: Config) -> grpc.ServerCredentials | None:
    """The admin API's credentials; None where it is served in plain text, on loopback."""
    if config.admin_tls_cert is None or config.admin_tls_key is None:
        return None
    return grpc.ssl_server_credentials([(_read(config.admin_tls_key), _read(config.admin_tls_cert))])


def xds(config: Config) -> ssl.SSLContext | None:
    """The xDS listener's credentials; with a client CA, every proxy must show a certificate of it."""
    if config.xds_tls_cert is None or config.xds_tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    for path in (config.xds_tls_cert, config.xds_tls_key):
        _read(path)  # says which of the two cannot be read; ssl does not
    try:
        context.load_cert_chain(config.xds_tls_cert, config.xds_tls_key)
    except ssl.SSLError as error:
        raise StartError(f"{config.xds_tls_cert}: {error.reason}: want a PEM certificate and its key") from error
    if config.xds_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=_read(config.xds_client_ca).decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise StartError(f"{config.xds_client_ca}: {error}: want PEM certificates") from error
    return context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}: want a readable PEM file") from error

"""TLS for the two listeners, from the files that the configuration names."""

from __future__ import annotations

from pathlib import Path

import grpc

from controlplane.config import Config
from controlplane.errors import StartError
from xds.errors import XdsError
from xds.listening import Tls


def admin(config: Config) -> grpc.ServerCredentials | None:
    """The admin API's credentials; None where it is served in plain text, on loopback."""
    if config.admin_tls_cert is None or config.admin_tls_key is None:
        return None
    return grpc.ssl_server_credentials([(_read(config.admin_tls_key), _read(config.admin_tls_cert))])


def xds(config: Config) -> Tls | None:
    """The xDS listener's credentials; with a client CA, every proxy must show a certificate of it."""
    if config.xds_tls_cert is None or config.xds_tls_key is None:
        return None
    try:
        return Tls.of(certificate=config.xds_tls_cert, key=config.xds_tls_key, client_ca=config.xds_client_ca)
    except XdsError as error:
        raise StartError(str(error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}: want a readable PEM file") from error

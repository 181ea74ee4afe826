"""TLS for the two listeners, from the files that the configuration names."""

from __future__ import annotations

from pathlib import Path

import grpc

from controlplane.config import Config
from controlplane.errors import StartError


def admin(config: Config) -> grpc.ServerCredentials | None:
    """The admin API's credentials; None where it is served in plain text, on loopback."""
    if config.admin_tls_cert is None or config.admin_tls_key is None:
        return None
    return _credentials(config.admin_tls_cert, config.admin_tls_key, None)


def xds(config: Config) -> grpc.ServerCredentials | None:
    """The xDS listener's credentials; with a client CA, every proxy must show a certificate of it."""
    if config.xds_tls_cert is None or config.xds_tls_key is None:
        return None
    return _credentials(config.xds_tls_cert, config.xds_tls_key, config.xds_client_ca)


def _credentials(cert: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    roots = _read(client_ca) if client_ca is not None else None
    return grpc.ssl_server_credentials(
        [(_read(key), _read(cert))], root_certificates=roots, require_client_auth=roots is not None
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}: want a readable PEM file") from error

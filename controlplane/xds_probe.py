"""One look at the control plane's xDS port before an Envoy is started: whether it would be talked to at all.

Envoy says of a failed handshake only that the connection ended, again and again, and what it was started with cannot
be mended while it runs.
"""

from __future__ import annotations

import os
import socket
import ssl
from datetime import timedelta

from controlplane.errors import ProxyError
from controlplane.xds_tls import XdsTls
from xds.http2_frames import PREFACE, SETTINGS, frame

_HELLO = PREFACE + frame(SETTINGS, 0, 0, b"")
_FRAME_HEAD, _TYPE = 9, 3  # octets, and where among them the type is (RFC 9113, section 4.1)


def probe(host: str, port: int, tls: XdsTls | None, *, deadline: timedelta = timedelta(seconds=2)) -> None:
    """Opens a connection as Envoy would, and says what is wrong with it. A control plane that is away, or silent for
    `deadline`, is nothing wrong: Envoy waits for it.

    Raises:
        ProxyError: a file of `tls` is not what it is to be, or the two sides would not come together.
    """
    seconds = deadline.total_seconds()
    try:
        if tls is None:
            if not _answers_in_plain_text(host, port, seconds) and _speaks_tls(host, port, seconds):
                raise ProxyError(
                    f"{host}:{port} speaks TLS: want --xds-ca, and if it asks for certificates, as outside loopback it "
                    "should, --xds-certificate and --xds-key"
                )
            return
        context = _context(tls)
        with _connected(host, port, seconds) as plain:
            words = _refusal(plain, context, tls)
    except OSError:  # nobody is there, or is busy
        return
    if words is not None:
        raise ProxyError(f"{host}:{port}: {words}")


def _refusal(plain: socket.socket, context: ssl.SSLContext, tls: XdsTls) -> str | None:
    """What is wrong, in words; None for nothing. Raises TimeoutError."""
    try:
        secured = context.wrap_socket(plain, server_hostname=tls.server_name)
    except ssl.SSLCertVerificationError as error:
        wanted = f"want one for {tls.server_name} (--xds-server-name) by an authority in {tls.ca} (--xds-ca)"
        return f"its certificate is not to be trusted: {error.verify_message}: {wanted}"
    except TimeoutError:
        raise
    except (ssl.SSLError, ConnectionError) as error:
        if tls.certificate is None and "ALERT" in (getattr(error, "reason", None) or ""):
            return _no_certificate(error)
        return f"no TLS with it ({_reason(error)}): want a control plane with xds_tls_cert, or no --xds-ca"
    with secured:
        # With TLS 1.3 a client hears only after its handshake what the server thinks of its certificate.
        try:
            secured.sendall(_HELLO)
            if secured.recv(_FRAME_HEAD):
                return None
            ended: OSError = ConnectionResetError("the connection was ended")
        except TimeoutError:
            raise
        except (ssl.SSLError, ConnectionError) as error:
            ended = error
    if tls.certificate is None:
        return _no_certificate(ended)
    return f"it does not take {tls.certificate} ({_reason(ended)}): want one of its xds_client_ca that is valid now"


def _no_certificate(error: OSError) -> str:
    return (
        f"it wants a certificate ({_reason(error)}): want --xds-certificate and --xds-key, with the SPIFFE ID of the "
        "proxy's service or Gateway (docs/configuration.md)"
    )


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else str(error.strerror or error)


def _context(tls: XdsTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    for path in (tls.ca, tls.certificate, tls.key):
        if path is not None and not os.access(path, os.R_OK):
            raise ProxyError(f"{path}: cannot be read: want a readable PEM file")
    try:
        context.load_verify_locations(tls.ca)
    except (ssl.SSLError, OSError) as error:
        raise ProxyError(f"{tls.ca}: {_reason(error)}: want PEM certificates") from error
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password="")  # or OpenSSL asks at the terminal for one
        except (ssl.SSLError, OSError) as error:
            want = "want a PEM certificate and its key, without a password"
            raise ProxyError(f"{tls.certificate}, {tls.key}: {_reason(error)}: {want}") from error
    return context


def _connected(host: str, port: int, seconds: float) -> socket.socket:
    """A connection, each of whose operations ends after so many seconds."""
    return socket.create_connection((host, port), timeout=seconds)


def _answers_in_plain_text(host: str, port: int, seconds: float) -> bool:
    with _connected(host, port, seconds) as plain:
        plain.sendall(_HELLO)
        try:
            head = plain.recv(_FRAME_HEAD)
        except ConnectionError:
            return False
    return len(head) == _FRAME_HEAD and head[_TYPE] == SETTINGS


def _speaks_tls(host: str, port: int, seconds: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is said over it: this asks whether TLS is spoken, not by whom.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with _connected(host, port, seconds) as plain:
        try:
            context.wrap_socket(plain).close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")
    return True

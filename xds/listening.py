"""What carries the services of an xDS server: gRPC over HTTP/2 of our own, or grpcio's server. Handlers see no
difference; docs/decisions/0030 says why there are two.
"""

from __future__ import annotations

import enum
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc
from grpc.aio import server as grpc_server

from xds.bounds import MAX_REQUEST_BYTES
from xds.errors import XdsError
from xds.flow import Flow
from xds.transport import GrpcServer


class Transport(enum.Enum):
    """HTTP2 costs a third of the CPU time and half of the memory of a stream. GRPCIO is the reference: for comparison,
    and for whoever wants nothing but the well-known one at a port."""

    HTTP2 = "http2"
    GRPCIO = "grpcio"


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's certificate and key, and the authority of its clients' certificates, for either transport."""

    context: ssl.SSLContext
    credentials: grpc.ServerCredentials

    @classmethod
    def of(cls, *, certificate: Path, key: Path, client_ca: Path | None = None) -> Tls:
        """From PEM files. With `client_ca`, every client must show a certificate of it.

        Raises:
            XdsError: a file cannot be read, or is not what it is to be.
        """
        chain, private, roots = _read(certificate), _read(key), _read(client_ca) if client_ca is not None else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError as error:
            raise XdsError(f"{certificate}: {error.reason}: want a PEM certificate and its key") from error
        if roots is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(cadata=roots.decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise XdsError(f"{client_ca}: {error}: want PEM certificates") from error
        return cls(
            context,
            grpc.ssl_server_credentials(
                [(private, chain)], root_certificates=roots, require_client_auth=roots is not None
            ),
        )


class Listener(Protocol):
    """One port, and the services on it."""

    async def listen(self, address: str, *, tls: Tls | None, share_port: bool) -> int:
        """Listens on `address` and returns the port. Raises OSError."""

    async def stop(self, grace: float) -> None:
        """Takes no new calls, gives those that are open `grace` seconds, then ends them."""

    async def wait(self) -> None:
        """Until it is stopped."""


def listener(transport: Transport, handlers: Iterable[grpc.GenericRpcHandler], flow: Flow) -> Listener:
    """A listener that serves `handlers` within the bounds of `flow`."""
    match transport:
        case Transport.HTTP2:
            return _Http2Listener(handlers, flow)
        case Transport.GRPCIO:
            return _GrpcioListener(handlers, flow)


class _Http2Listener:
    def __init__(self, handlers: Iterable[grpc.GenericRpcHandler], flow: Flow) -> None:
        self._server = GrpcServer(max_message=MAX_REQUEST_BYTES, flow=flow)
        self._server.add_generic_rpc_handlers(handlers)

    async def listen(self, address: str, *, tls: Tls | None, share_port: bool) -> int:
        return await self._server.start(address, tls=tls.context if tls is not None else None, share_port=share_port)

    async def stop(self, grace: float) -> None:
        await self._server.stop(grace)

    async def wait(self) -> None:
        await self._server.wait_for_termination()


class _GrpcioListener:
    def __init__(self, handlers: Iterable[grpc.GenericRpcHandler], flow: Flow) -> None:
        self._handlers = tuple(handlers)
        self._options = [
            ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
            ("grpc.max_send_message_length", -1),  # a response is as large as the mesh, which its documents bound
            *flow.options(),
        ]
        self._server: grpc.aio.Server | None = None

    async def listen(self, address: str, *, tls: Tls | None, share_port: bool) -> int:
        server = grpc_server(options=[*self._options, ("grpc.so_reuseport", int(share_port))])
        server.add_generic_rpc_handlers(self._handlers)
        try:
            port = (
                server.add_secure_port(address, tls.credentials)
                if tls is not None
                else server.add_insecure_port(address)
            )
        except RuntimeError as error:
            raise OSError(str(error)) from error
        await server.start()
        self._server = server
        return int(port)

    async def stop(self, grace: float) -> None:
        if self._server is not None:
            await self._server.stop(grace)

    async def wait(self) -> None:
        if self._server is not None:
            await self._server.wait_for_termination()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise XdsError(f"{path}: {error.strerror}: want a readable PEM file") from error

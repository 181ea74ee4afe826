"""The connection to a control plane's admin API."""

from __future__ import annotations

import contextlib
import getpass
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from controlplane.cli.exits import Exit, leave
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub

DEADLINE = 30.0  # seconds; a sentence may wait for a language model


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the control plane is, and how to be let in."""

    address: str
    token_file: Path | None
    ca_file: Path | None

    @contextlib.contextmanager
    def api(self) -> Iterator[AdminServiceStub]:
        """The API, while the context lasts. Exits, in words, if nobody answers."""
        with self.stub() as stub:
            try:
                yield stub
            except grpc.RpcError as error:
                call: Any = error  # what a call raises is a grpc.Call too, which its type does not say
                if call.code() is grpc.StatusCode.UNAVAILABLE:
                    details = call.details() or ""
                    if "connect" in details.lower() or "handshake" in details.lower():
                        leave(
                            Exit.UNREACHABLE,
                            f"no control plane answers at {self.address}: start one with `apg up`, "
                            "or say where it is with --admin or $APG_ADMIN",
                        )
                raise

    @contextlib.contextmanager
    def stub(self) -> Iterator[AdminServiceStub]:
        """The API, while the context lasts; what goes wrong is the caller's."""
        with self._channel() as channel:
            yield AdminServiceStub(_with_metadata(channel, self._metadata()))

    def _channel(self) -> grpc.Channel:
        if self.ca_file is None:
            return grpc.insecure_channel(self.address)
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(_read(self.ca_file)))

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if self.token_file is None:
            return ()
        return (("authorization", f"Bearer {_read(self.token_file).decode().strip()}"),)


def attribution(reason: str = "") -> pb.Attribution:
    """Who runs this command, and why."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = "unnamed"
    return pb.Attribution(author=f"{user}@{socket.gethostname()}", reason=reason)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        leave(Exit.USAGE, f"{path}: {error.strerror}: want a readable file")


def _with_metadata(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...]) -> grpc.Channel:
    return grpc.intercept_channel(channel, _Metadata(metadata)) if metadata else channel


class _Metadata(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Adds metadata to every call."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:  # noqa: ANN401
        return continuation(self._with(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:  # noqa: ANN401
        return continuation(self._with(details), request)

    def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:  # noqa: ANN401
        return continuation(self._with(details), requests)

    def _with(self, details: Any) -> Any:  # noqa: ANN401  # grpc's own named tuple
        return details._replace(metadata=[*(details.metadata or ()), *self._metadata])

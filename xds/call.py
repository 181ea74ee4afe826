"""One gRPC call as a handler sees it: what both transports of `xds.listening` give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import grpc


class Context(Protocol):
    """The part of `grpc.aio.ServicerContext` that this package's handlers use."""

    async def write(self, message: Any, /) -> None:  # noqa: ANN401  # bytes, or what the handler serialises
        """Sends a response; returns once the client has room for the next."""

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, str]] = ()
    ) -> NoReturn:
        """Ends the call with a status; does not return."""

    def peer(self) -> str:
        """Who called, as gRPC writes it: "ipv4:10.0.0.1:4711"."""

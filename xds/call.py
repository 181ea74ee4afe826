"""One gRPC call as a handler sees it: what both transports of `xds.listening` give it, and how it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

import grpc

from xds.errors import DeniedError, LimitError, SilenceError, UnsupportedError, XdsError

T = TypeVar("T")

_LONGEST = 1_000  # characters; clients take 8 KiB of headers, and words may repeat what a client said


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

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """What the client's certificate says: `x509_common_name`, `x509_subject_alternative_name`; or nothing."""


async def refuse(context: Context, error: XdsError) -> NoReturn:
    """Ends the call with the status and the words of `error`; does not return."""
    words = str(error)
    await context.abort(_code(error), words if len(words) <= _LONGEST else words[:_LONGEST] + "…")


def _code(error: XdsError) -> grpc.StatusCode:
    match error:
        case DeniedError():
            return grpc.StatusCode.PERMISSION_DENIED
        case LimitError():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case SilenceError():
            return grpc.StatusCode.DEADLINE_EXCEEDED
        case UnsupportedError():
            return grpc.StatusCode.UNIMPLEMENTED
        case _:
            return grpc.StatusCode.INVALID_ARGUMENT


async def first(requests: AsyncIterator[T], seconds: float) -> T | None:
    """The first request; None if the client ends its side without one.

    Raises:
        SilenceError: there is none within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            return await anext(requests, None)
    except TimeoutError:
        raise SilenceError(f"got no request within {seconds:g} s of opening the stream, want one") from None

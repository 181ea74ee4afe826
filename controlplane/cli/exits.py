"""Exit codes, and errors as one clear line. See docs/cli.md."""

from __future__ import annotations

import enum
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any, NoReturn

import click


class Exit(enum.IntEnum):
    """What `apg` exits with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    NOT_FOUND = 5
    CONFLICT = 6
    DECLINED = 7


EPILOG = (
    "Exit codes: 0 done, 1 unexpected failure, 2 wrong usage or configuration, 3 refused (invalid, not understood), "
    "4 control plane unreachable, 5 not found, 6 conflict (the mesh has moved on), 7 declined at the prompt."
)


def leave(code: Exit, message: str) -> NoReturn:
    """Says why on standard error, and exits."""
    for line in message.splitlines() or [""]:
        click.echo(line if line.startswith(" ") else f"apg: {line}", err=True)
    sys.exit(code)


def leave_for(error: BaseException) -> NoReturn:
    """Exits as `error` asks for: one clear line, and a trace only where $APG_DEBUG asks for it."""
    import grpc

    from controlplane.errors import ConfigError, ControlPlaneError
    from registry.errors import RegistryError

    if os.environ.get("APG_DEBUG"):
        traceback.print_exception(error)
    match error:
        case grpc.RpcError():
            leave(*_of_rpc(error))
        case ConfigError():
            leave(Exit.USAGE, str(error))
        case ControlPlaneError() | RegistryError():
            leave(Exit.FAILED, str(error))
        case BaseExceptionGroup(exceptions=(only,)):
            leave_for(only)
        case OSError():
            leave(Exit.FAILED, str(error))
        case _:
            leave(Exit.FAILED, f"unexpected {type(error).__name__}: {error} (APG_DEBUG=1 shows where)")


def _of_rpc(error: Any) -> tuple[Exit, str]:  # noqa: ANN401  # RpcError and Call in one, which no type says
    """A failed call's exit code and words."""
    import grpc

    code, details = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.FAILED_PRECONDITION:
            problems = list(violations(error))
            lines = "".join(f"\n  ✗ {problem}" for problem in problems)
            return Exit.REFUSED, f"refused; nothing was changed{lines}" if problems else details
        case grpc.StatusCode.NOT_FOUND:
            return Exit.NOT_FOUND, details
        case grpc.StatusCode.ABORTED:
            return Exit.CONFLICT, details
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return Exit.REFUSED, f"{details} (--token-file, or $APG_TOKEN_FILE)"
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return Exit.UNREACHABLE, details
        case _:
            return Exit.FAILED, f"{code.name}: {details}"


def violations(error: Any) -> Iterator[str]:  # noqa: ANN401  # as above
    """The problems that came with a refusal: "FIELD: got THIS, want THAT"."""
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        refusal = error_details_pb2.BadRequest()
        if detail.Unpack(refusal):
            for violation in refusal.field_violations:
                yield f"{violation.field}: {violation.description}"

"""An explanation: what a request meets, step by step, and what becomes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from policy.explain.request import Request


class Effect(enum.Enum):
    """What a step does to the request. MAY_REFUSE: it depends on what this request alone does not show."""

    PASSES = "passes"
    CHANGES = "changes"
    ANSWERS = "answers"
    REFUSES = "refuses"
    MAY_REFUSE = "may refuse"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the request meets. `document` and `path` say what asks for it; "" where nothing does."""

    stage: str
    effect: Effect
    words: str
    document: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A backend, its share of the requests (0 to 1) and how many endpoints it has."""

    backend: str
    share: float
    endpoints: int


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The request goes on to one of `backends`; `host` and `path` are what that one sees."""

    backends: tuple[Share, ...]
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The proxy answers by itself. `location`: of a redirect, "" for none. `grpc_status`: for gRPC requests, which are
    refused with it and with the HTTP status 200."""

    status: int
    reason: str
    location: str = ""
    grpc_status: int | None = None

    def in_grpc(self) -> Answered:
        """The same answer for a gRPC request (Envoy, `Grpc::Utility::httpToGrpcStatus`). Of any status but 200."""
        grpc_status = _GRPC.get(self.status, _UNKNOWN)
        reason = f"{self.reason} (the HTTP status would be {self.status})"
        return Answered(200, reason, self.location, grpc_status)


_GRPC = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class NotServed:
    """No Gateway listens for such a request."""

    reason: str


Outcome: TypeAlias = Forwarded | Answered | NotServed


@dataclass(frozen=True, slots=True)
class Matched:
    """The match of a rule that a request meets."""

    document: str
    rule: int
    rule_name: str
    match: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """gateway, listener, hostname: where the request arrives; "" where it does not get so far. passed_over: the
    matches that would have gone first, and why they do not apply."""

    request: Request
    gateway: str
    listener: str
    hostname: str
    matched: Matched | None
    steps: tuple[Step, ...]
    outcome: Outcome
    passed_over: tuple[str, ...] = ()

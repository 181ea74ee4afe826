"""Intents about how requests are treated."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.said import listed, percentage, refuse_unless, span, whom
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_LONGEST_FAULT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Retries:
    """Failed requests are tried again: `attempts` times at most, `per_try` being the patience with each."""

    target: ServiceKey | None
    attempts: int
    per_try: timedelta | None = None

    def __post_init__(self) -> None:
        refuse_unless(1 <= self.attempts <= 10, f"{self.attempts} retries", "1 to 10")

    def __str__(self) -> str:
        patience = f", each for {span(self.per_try)} at most" if self.per_try else ""
        return f"failed requests to {whom(self.target)} are tried again {self.attempts} times at most{patience}"


class TimeoutOf(enum.StrEnum):
    REQUEST = "request"
    IDLE = "idle"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True)
class Timeout:
    target: ServiceKey | None
    after: timedelta
    of: TimeoutOf = TimeoutOf.REQUEST

    def __post_init__(self) -> None:
        refuse_unless(
            timedelta(0) < self.after <= timedelta(hours=24), span(self.after), "more than 0s and 24h at most"
        )

    def __str__(self) -> str:
        what = {
            TimeoutOf.REQUEST: "requests to",
            TimeoutOf.IDLE: "idle connections to",
            TimeoutOf.CONNECT: "connecting to",
        }
        return f"{what[self.of]} {whom(self.target)} end after {span(self.after)}"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Bounds on what is in flight at once; None leaves one as it is."""

    target: ServiceKey | None
    connections: int | None = None
    pending: int | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.connections, self.pending, self.requests) if bound is not None]
        refuse_unless(bool(bounds) and all(1 <= bound <= 1_000_000 for bound in bounds), listed(bounds), "1 to 1000000")

    def __str__(self) -> str:
        bounds = [("connections", self.connections), ("waiting requests", self.pending), ("requests", self.requests)]
        said = ", ".join(f"{bound} {name}" for name, bound in bounds if bound is not None)
        return f"to {whom(self.target)} at most {said} at once"


@dataclass(frozen=True, slots=True)
class Ejection:
    """An instance that fails `errors` times in a row gets no requests for a while."""

    target: ServiceKey | None
    errors: int
    eject_for: timedelta | None = None

    def __post_init__(self) -> None:
        refuse_unless(1 <= self.errors <= 1_000, f"{self.errors} errors", "1 to 1000")

    def __str__(self) -> str:
        how_long = f" for {span(self.eject_for)}" if self.eject_for else ""
        return f"an instance of {whom(self.target)} that fails {self.errors} times in a row is left out{how_long}"


class Algorithm(enum.StrEnum):
    ROUND_ROBIN = "round_robin"
    LEAST_REQUEST = "least_request"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class LoadBalancing:
    target: ServiceKey | None
    algorithm: Algorithm

    def __str__(self) -> str:
        return f"requests to {whom(self.target)} are spread by {self.algorithm.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of the requests is delayed, refused with `status`, or both; it ends by itself after `lasts`."""

    target: ServiceKey
    percent: Decimal
    lasts: timedelta | None
    delay: timedelta | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        refuse_unless(0 < self.percent <= _WHOLE, percentage(self.percent), "more than 0% and at most 100%")
        refuse_unless(self.delay is not None or self.status is not None, "no fault", "a delay or a status")
        refuse_unless(self.status is None or 400 <= self.status <= 599, f"status {self.status}", "400 to 599")
        refuse_unless(
            self.delay is None or timedelta(0) < self.delay <= timedelta(minutes=10), "the delay", "10m at most"
        )
        refuse_unless(
            self.lasts is None or timedelta(0) < self.lasts <= _LONGEST_FAULT,
            "the fault's end",
            f"within {span(_LONGEST_FAULT)}",
        )

    def __str__(self) -> str:
        what = [f"wait {span(self.delay)}" if self.delay else "", f"get {self.status}" if self.status else ""]
        end = f" for {span(self.lasts)}" if self.lasts else ""
        return f"{percentage(self.percent)} of the requests to {self.target} {' and '.join(w for w in what if w)}{end}"


class LimitKey(enum.StrEnum):
    """Whose requests are counted together."""

    EVERYONE = "everyone"
    USER = "user"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class RateLimit:
    target: ServiceKey | None
    requests: int
    per: timedelta
    key: LimitKey = LimitKey.EVERYONE

    def __post_init__(self) -> None:
        refuse_unless(1 <= self.requests <= 10_000_000, f"{self.requests} requests", "1 to 10000000")
        refuse_unless(timedelta(seconds=1) <= self.per <= timedelta(days=1), span(self.per), "1s to 24h")

    def __str__(self) -> str:
        who = "" if self.key is LimitKey.EVERYONE else f" for each {self.key}"
        return f"at most {self.requests} requests in {span(self.per)}{who} to {whom(self.target)}"


class Compressor(enum.StrEnum):
    GZIP = "gzip"
    BROTLI = "brotli"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Compression:
    target: ServiceKey | None
    algorithm: Compressor = Compressor.GZIP

    def __str__(self) -> str:
        return f"answers of {whom(self.target)} are compressed by {self.algorithm}"

"""Intents about where traffic goes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from intelligence.intents.errors import ContradictionError
from intelligence.intents.said import percentage, refuse_unless
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_FINEST = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Share:
    """A version and its part of a service's traffic, in percent, at most two decimals."""

    version: str
    percent: Decimal

    def __str__(self) -> str:
        return f"{percentage(self.percent)} to {self.version}"


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """A service's traffic, parted among its versions. Shares below 100% in all leave the rest where it goes now.

    Raises:
        ContradictionError: a share outside 0 to 100 or finer than 0.01, more than 100 in all, or a version twice.
    """

    service: ServiceKey
    shares: tuple[Share, ...]

    def __post_init__(self) -> None:
        for share in self.shares:
            refuse_unless(0 <= share.percent <= _WHOLE, str(share), "0% to 100%")
            refuse_unless(not share.percent % _FINEST, str(share), "two decimals at most")
        versions = [share.version for share in self.shares]
        said = ", ".join(str(share) for share in self.shares)
        refuse_unless(len(set(versions)) == len(versions), said, "each version once")
        if sum(share.percent for share in self.shares) > _WHOLE:
            raise ContradictionError(f"{said} is more than 100%; nothing was changed")

    @property
    def rest(self) -> Decimal:
        """The percentage that stays where it goes now."""
        return _WHOLE - sum((share.percent for share in self.shares), Decimal(0))

    def __str__(self) -> str:
        rest = f", the other {percentage(self.rest)} stays where it goes now" if self.rest else ""
        return f"of the traffic of {self.service}, {', '.join(str(share) for share in self.shares)}{rest}"


@dataclass(frozen=True, slots=True)
class RouteTo:
    """All of a service's traffic goes to another service."""

    service: ServiceKey
    destination: ServiceKey

    def __post_init__(self) -> None:
        refuse_unless(self.service != self.destination, f"{self.service} to itself", "two services")

    def __str__(self) -> str:
        return f"all traffic of {self.service} goes to {self.destination}"


@dataclass(frozen=True, slots=True)
class MatchRoute:
    """Requests with a header, a method or a path prefix go to a version."""

    service: ServiceKey
    version: str
    header: str = ""
    value: str = ""
    method: str = ""
    path: str = ""

    def __str__(self) -> str:
        conditions = [
            f"header {self.header} is {self.value}" if self.header else "",
            f"the method is {self.method}" if self.method else "",
            f"the path begins with {self.path}" if self.path else "",
        ]
        when = " and ".join(condition for condition in conditions if condition)
        return f"requests of {self.service} whose {when} go to {self.version}"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of a part of a service's requests goes to a version, or to another service. Answers are thrown away."""

    service: ServiceKey
    version: str = ""
    destination: ServiceKey | None = None
    percent: Decimal = _WHOLE

    def __post_init__(self) -> None:
        refuse_unless(0 < self.percent <= _WHOLE, percentage(self.percent), "more than 0% and at most 100%")

    def __str__(self) -> str:
        return f"a copy of {percentage(self.percent)} of {self.service} goes to {self.version or self.destination}"


@dataclass(frozen=True, slots=True)
class CreateRoute:
    """A new route to a service, for a path prefix, a host, or both."""

    service: ServiceKey
    path: str = ""
    host: str = ""

    def __str__(self) -> str:
        at = " and ".join(
            part
            for part in (f"path {self.path}" if self.path else "", f"host {self.host}" if self.host else "")
            if part
        )
        return f"a new route to {self.service}" + (f" at {at}" if at else "")


@dataclass(frozen=True, slots=True)
class Drain:
    """A version gets no more traffic."""

    service: ServiceKey
    version: str

    def __str__(self) -> str:
        return f"{self.version} of {self.service} gets no more traffic"

"""The intents as values: what a person can want, whoever understood it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from intelligence.intents.errors import ContradictionError
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_FINEST = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Share:
    """A version and its part of a service's traffic, in percent, at most two decimals."""

    version: str
    percent: Decimal

    def __str__(self) -> str:
        return f"{self.percent.normalize():f}% to {self.version}"


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
            if not 0 <= share.percent <= _WHOLE:
                raise ContradictionError(f"{share}: want 0% to 100%; nothing was changed")
            if share.percent % _FINEST:
                raise ContradictionError(f"{share}: want two decimals at most; nothing was changed")
        versions = [share.version for share in self.shares]
        if len(set(versions)) != len(versions):
            raise ContradictionError(f"{_listed(self.shares)}: want each version once; nothing was changed")
        if sum(share.percent for share in self.shares) > _WHOLE:
            raise ContradictionError(f"{_listed(self.shares)} is more than 100%; nothing was changed")

    @property
    def rest(self) -> Decimal:
        """The percentage that stays where it goes now."""
        return _WHOLE - sum((share.percent for share in self.shares), Decimal(0))

    def __str__(self) -> str:
        rest = f", the other {self.rest.normalize():f}% stays where it goes now" if self.rest else ""
        return f"of the traffic of {self.service}, {_listed(self.shares)}{rest}"


Intent: TypeAlias = TrafficSplit


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was understood of a sentence. `words` says it back; `confidence` is 0 to 1; `parser` names who did."""

    intents: tuple[Intent, ...]
    words: tuple[str, ...]
    confidence: float
    parser: str


def _listed(shares: tuple[Share, ...]) -> str:
    return ", ".join(str(share) for share in shares)

"""How sure a measured share is."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z_95 = 1.959964  # the standard normal's 97.5% quantile


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    def __contains__(self, share: float) -> bool:
        return self.low <= share <= self.high


def wilson(hits: int, trials: int, *, z: float = _Z_95) -> Interval:
    """The interval that holds the true share behind `hits` of `trials` with the confidence of `z` (95% by default).

    Wilson's score interval (E. B. Wilson, 1927): unlike the textbook one, it stays in [0, 1] and holds for shares
    near 0 and 1.
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"got {hits} of {trials}, want a part of one or more")
    share = hits / trials
    scale = 1 + z * z / trials
    center = (share + z * z / (2 * trials)) / scale
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends the bounds are 0 and 1 exactly, which floating point may miss by a bit.
    return Interval(0.0 if hits == 0 else center - reach, 1.0 if hits == trials else center + reach)

"""The arithmetic of repeated readings: percentiles, quartiles, and the intervals that say how far to trust them."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Interval: TypeAlias = tuple[float, float]

CONFIDENCE = 0.95
_RESAMPLES = 1_000


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie, by linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def quartiles(values: Sequence[float]) -> Interval:
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def of_percentile(values: Sequence[float], share: float, *, confidence: float = CONFIDENCE) -> Interval | None:
    """Between which two of the readings the true percentile lies: order statistics, whatever the distribution.

    How many readings lie below it is binomial (David and Nagaraja, Order Statistics, 7.1). With so few readings that
    no pair of them has the confidence, the lowest and the highest: 5 readings hold a median with 93.75%. None for
    fewer than 3.
    """
    count = len(values)
    if count < 3:
        return None
    ordered = sorted(values)
    tail = (1.0 - confidence) / 2.0
    below = 0.0
    low, high = 0, count - 1
    for hits in range(count + 1):
        chance = math.comb(count, hits) * share**hits * (1.0 - share) ** (count - hits)
        if below + chance <= tail:
            low = min(hits, count - 1)
        below += chance
        if below >= 1.0 - tail:
            high = min(hits, count - 1)
            break
    return ordered[low], ordered[high]


def of_quotient(
    mine: Sequence[T],
    others: Sequence[T],
    of: Callable[[Sequence[T]], float],
    *,
    confidence: float = CONFIDENCE,
    paired: bool = True,
) -> Interval | None:
    """Of `of(mine) / of(others)`, by the percentile bootstrap with a fixed seed.

    paired: reading `i` of both was taken in the same minute, so both are drawn together, and what disturbed both
    cancels. None for fewer than 3 readings on a side, or where the other side is 0.
    """
    if min(len(mine), len(others)) < 3 or (paired and len(mine) != len(others)):
        return None
    draw = random.Random(len(mine))
    above, below = _Remembered(mine, of), _Remembered(others, of)
    quotients = []
    for _ in range(_RESAMPLES):
        ours = draw.choices(range(len(mine)), k=len(mine))
        under = below(ours if paired else draw.choices(range(len(others)), k=len(others)))
        if not under:
            return None
        quotients.append(above(ours) / under)
    return _middle(quotients, confidence)


def bootstrap(
    readings: Sequence[T], of: Callable[[Sequence[T]], float], *, confidence: float = CONFIDENCE
) -> Interval | None:
    """Of `of(readings)`, by the percentile bootstrap with a fixed seed. None for fewer than 3 readings."""
    if len(readings) < 3:
        return None
    draw = random.Random(len(readings))
    value = _Remembered(readings, of)
    return _middle([value(draw.choices(range(len(readings)), k=len(readings))) for _ in range(_RESAMPLES)], confidence)


class _Remembered(Generic[T]):
    """`of` some of the readings, which do not stand in any order. Of five readings there are 126 ways to draw five, so
    most draws have been seen before."""

    def __init__(self, readings: Sequence[T], of: Callable[[Sequence[T]], float]) -> None:
        self._readings = readings
        self._of = of
        self._known: dict[tuple[int, ...], float] = {}

    def __call__(self, drawn: Sequence[int]) -> float:
        key = tuple(sorted(drawn))
        if key not in self._known:
            self._known[key] = self._of([self._readings[index] for index in drawn])
        return self._known[key]


def _middle(values: Sequence[float], confidence: float) -> Interval:
    tail = (1.0 - confidence) / 2.0
    return percentile(values, tail), percentile(values, 1.0 - tail)

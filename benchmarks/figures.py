"""From readings to rows: medians and spreads of rounds, ratios to a peer, bars."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks import intervals
from benchmarks.intervals import quartiles
from benchmarks.report import Row


@dataclass(frozen=True, slots=True)
class Bar:
    """What was asked for: at most so many times the peer's figure, at most an absolute figure, or both; or, of what
    more is better of, at least."""

    ratio: float | None = None
    most: float | None = None
    unit: str = ""
    least: float | None = None
    least_ratio: float | None = None

    def __str__(self) -> str:
        parts = [f"≤ {self.most:g} {self.unit}".rstrip()] if self.most is not None else []
        parts += [f"≤ {self.ratio:g} × peer"] if self.ratio is not None else []
        parts += [f"≥ {self.least:g} {self.unit}".rstrip()] if self.least is not None else []
        parts += [f"≥ {self.least_ratio:.3g} × peer"] if self.least_ratio is not None else []
        return " and ".join(parts)

    def holds(self, ours: float, peer: float | None) -> bool | None:
        """None where it cannot be said: the bar is a ratio, and nothing ran beside ours."""
        if (self.most is not None and ours > self.most) or (self.least is not None and ours < self.least):
            return False
        if self.ratio is None and self.least_ratio is None:
            return True
        if not peer:
            return None
        below = self.ratio is None or ours <= self.ratio * peer
        return below and (self.least_ratio is None or ours >= self.least_ratio * peer)


def row(
    figure: str,
    unit: str,
    ours: Sequence[float],
    *,
    peer: str | None = None,
    theirs: Sequence[float] | None = None,
    bar: Bar | None = None,
    note: str = "",
    better: Literal["less", "more", "neither"] = "less",
    floor: bool = False,
    of: Callable[[Sequence[float]], float] = statistics.median,
) -> Row:
    """One figure of several rounds; round `i` of ours and of the peer's ran one after the other.

    The value is the median of the rounds, or what `of` makes of them. The note gives the quartiles of the rounds'
    ratios, which a noisy machine disturbs less than the figures themselves.
    """
    value = of(ours)
    peer_value = of(theirs) if theirs else None
    paired = theirs is not None and len(ours) == len(theirs)
    notes = [note] if note else []
    if theirs and paired and len(ours) > 1 and all(theirs):
        low, high = quartiles([mine / other for mine, other in zip(ours, theirs, strict=True)])
        notes.append(f"{len(ours)} rounds in alternation, ratios {low:.2f} to {high:.2f}")
    elif len(ours) > 1:
        notes.append(f"{len(ours)} rounds")
    return Row(
        figure=figure,
        unit=unit,
        ours=value,
        spread=quartiles(ours),
        peer=peer if theirs else None,
        peer_value=peer_value,
        bar=str(bar) if bar else None,
        holds=bar.holds(value, peer_value) if bar else None,
        note="; ".join(notes),
        better=better,
        samples=tuple(ours) if len(ours) > 1 else (),
        peer_samples=tuple(theirs) if theirs and len(theirs) > 1 else (),
        interval=intervals.of_percentile(ours, 0.5) if of is statistics.median else intervals.bootstrap(ours, of),
        ratio_interval=intervals.of_quotient(ours, theirs, of, paired=paired) if theirs else None,
        floor=floor,
    )

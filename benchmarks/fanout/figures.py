"""From readings to rows: medians and spreads of rounds, ratios to a peer, bars."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import Row, quartiles


@dataclass(frozen=True, slots=True)
class Bar:
    """What was asked for: at most so many times the peer's figure, at most an absolute figure, or both."""

    ratio: float | None = None
    most: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        parts = [f"≤ {self.most:g} {self.unit}".rstrip()] if self.most is not None else []
        parts += [f"≤ {self.ratio:g} × peer"] if self.ratio is not None else []
        return " and ".join(parts)

    def holds(self, ours: float, peer: float | None) -> bool | None:
        """None where it cannot be said: the bar is a ratio, and nothing ran beside ours."""
        if self.most is not None and ours > self.most:
            return False
        if self.ratio is None:
            return True
        if not peer:
            return None
        return ours <= self.ratio * peer


def row(
    figure: str,
    unit: str,
    ours: Sequence[float],
    *,
    peer: str | None = None,
    theirs: Sequence[float] | None = None,
    bar: Bar | None = None,
    note: str = "",
) -> Row:
    """One figure of several rounds; round `i` of ours and of the peer's ran one after the other.

    The value is the median of the rounds. The note gives the quartiles of the rounds' ratios, which a noisy machine
    disturbs less than the figures themselves.
    """
    value = statistics.median(ours)
    peer_value = statistics.median(theirs) if theirs else None
    notes = [note] if note else []
    if theirs and len(ours) > 1 and len(ours) == len(theirs) and all(theirs):
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
    )

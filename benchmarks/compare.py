"""`python -m benchmarks compare OLD NEW`: what became worse, what better, and what may be chance.

Two runs differ by more than the code: the machine was busier, its processor hotter. So a figure with something beside
it in the same run is compared by its ratio to that, which such moods change little; and a figure without is given a
wide tolerance. Either way the difference has to stand out from what the rounds of both runs leave open.
"""

from __future__ import annotations

import argparse
import enum
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.intervals import Interval
from benchmarks.report import SCHEMA, Row

TOLERANCE, TOLERANCE_ALONE = 0.05, 0.25
"""What share of a figure a change has to be, to be called one: with something beside it, and without."""

_Z95, _Z99 = 1.959964, 2.575829  # of the normal distribution, two-sided
_FEW = 3  # readings, at least, for an interval


class Verdict(enum.Enum):
    WORSE = "worse"
    BETTER = "better"
    NOISE = "within noise"
    UNKNOWN = "one reading: not judged"
    GONE = "only in the old run"
    NEW = "only in the new run"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one figure. old, new: by what they are compared, values or ratios to `beside`. change: new to old; None where
    old is 0."""

    figure: str
    unit: str
    verdict: Verdict
    old: float | None = None
    new: float | None = None
    beside: str | None = None

    @property
    def change(self) -> float | None:
        return self.new / self.old if self.old and self.new is not None else None


class NotComparable(ValueError):  # noqa: N818  # what they are
    """Two files that nothing can be said of."""


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Comparison]:
    """The figures of two results, in the order of the new one, then those that are gone.

    Raises:
        NotComparable: they are of different benchmarks, or of a `--quick` run, or no results.
    """
    for side, result in (("old", old), ("new", new)):
        if result.get("schema") != SCHEMA:
            raise NotComparable(f"{side}: got schema {result.get('schema')}, want {SCHEMA}: measure again")
        if result["quick"]:
            raise NotComparable(f"{side}: got a --quick run, whose figures mean nothing; want a full one")
    if old["benchmark"] != new["benchmark"]:
        raise NotComparable(f"got {old['benchmark']} and {new['benchmark']}, want two runs of one benchmark")
    before = {row["figure"]: Row.from_json(row) for row in old["rows"]}
    after = {row["figure"]: Row.from_json(row) for row in new["rows"]}
    found = [
        _compared(before[figure], row) if figure in before else Comparison(figure, row.unit, Verdict.NEW)
        for figure, row in after.items()
    ]
    gone = [Comparison(figure, row.unit, Verdict.GONE) for figure, row in before.items() if figure not in after]
    return found + gone


def _compared(old: Row, new: Row) -> Comparison:
    if old.ratio is not None and new.ratio is not None and old.peer == new.peer:
        values, spans, beside = (old.ratio, new.ratio), (old.ratio_interval, new.ratio_interval), new.peer
    else:
        values, spans, beside = (old.ours, new.ours), (old.interval, new.interval), None
    counts = (len(old.samples), len(new.samples))
    verdict = _verdict(old, new, values, spans, counts, TOLERANCE if beside else TOLERANCE_ALONE)
    return Comparison(new.figure, new.unit, verdict, *values, beside)


def _verdict(
    old: Row,
    new: Row,
    values: tuple[float, float],
    spans: tuple[Interval | None, Interval | None],
    counts: tuple[int, int],
    tolerance: float,
) -> Verdict:
    first, second = spans
    if new.better == "neither":
        return Verdict.NOISE
    if first is None or second is None or min(counts) < _FEW:
        # Nothing says how it varies. A bar that was held and is not any more is worse all the same.
        return Verdict.WORSE if old.holds and new.holds is False else Verdict.UNKNOWN
    if not stands_out(values[0], first, counts[0], values[1], second, counts[1]):
        return Verdict.NOISE
    if abs(values[1] - values[0]) <= tolerance * abs(values[0]):
        return Verdict.NOISE
    more = values[1] > values[0]
    return Verdict.WORSE if more == (new.better == "less") else Verdict.BETTER


def stands_out(old: float, old_span: Interval, old_count: int, new: float, new_span: Interval, new_count: int) -> bool:
    """Whether two values with 95% intervals differ with 99% confidence (Welch's test on what the intervals say of their
    standard errors; on logarithms, because times are skewed, unless something is not above 0)."""
    if min(old, new, *old_span, *new_span) > 0:
        old, new = math.log(old), math.log(new)
        old_span = math.log(old_span[0]), math.log(old_span[1])
        new_span = math.log(new_span[0]), math.log(new_span[1])
    errors = [
        # A bootstrap of n readings is too sure of itself by the factor sqrt((n - 1) / n).
        (span[1] - span[0]) / (2 * _Z95) * math.sqrt(count / (count - 1))
        for span, count in ((old_span, old_count), (new_span, new_count))
    ]
    return abs(new - old) > student(_Z99, old_count + new_count - 2) * math.hypot(*errors)


def student(z: float, freedom: int) -> float:
    """The quantile of Student's t that the normal distribution has at `z` (Cornish and Fisher; Abramowitz and Stegun
    26.7.5)."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where something is worse, 2 where nothing can be said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--all", action="store_true", help="show what is within noise, too")
    chosen = parser.parse_args(arguments)
    try:
        old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (chosen.old, chosen.new))
        found = compare(old, new)
    except (NotComparable, OSError, KeyError, TypeError, ValueError) as error:
        print(f"{chosen.old}, {chosen.new}: {error}", file=sys.stderr)
        return 2
    if (before := old["machine"].get("cpu")) != (now := new["machine"].get("cpu")):
        print(f"another machine: {before}, then {now}; believe the ratios, and nothing else")
    show(found, Console(), everything=chosen.all)
    return int(any(item.verdict is Verdict.WORSE for item in found))


def show(found: Sequence[Comparison], console: Console, *, everything: bool) -> None:
    """What became worse first; what is within noise only if asked for."""
    order = list(Verdict)
    shown = [item for item in found if everything or item.verdict in (Verdict.WORSE, Verdict.BETTER)]
    table = Table("figure", "old", "new", "change", "compared by", "verdict")
    for item in sorted(shown, key=lambda item: order.index(item.verdict)):
        numbers = ("" if value is None else f"{value:.3g}" for value in (item.old, item.new))
        change = "" if item.change is None else f"{item.change:.2f} ×"
        by = f"ratio to {item.beside}" if item.beside else item.unit
        table.add_row(item.figure, *numbers, change, by, item.verdict.value)
    if shown:
        console.print(table)
    counts = {verdict: sum(item.verdict is verdict for item in found) for verdict in order}
    console.print(", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count))

"""One form for all results: rows of figures and curves, as a table for people and as JSON for programs.

The JSON is what `python -m benchmarks report` and `compare` read; `SCHEMA` counts its forms.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.intervals import Interval, percentile, quartiles
from benchmarks.machine import machine, versions

__all__ = ["SCHEMA", "Curve", "Report", "Row", "machine", "percentile", "quartiles", "versions"]

SCHEMA = 2
NEGLIGIBLE = 0.02
"""By so much, as a share, a rival may be better without that being said to be a loss."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    figure: its name, the same in every run of the same size: `compare` finds it by this.
    ours, peer_value: in `unit`. `peer` names what ran beside ours in the same run, None where nothing did.
    spread: of `ours`: its first and third quartile, or (value, value) for a single reading.
    bar: what was asked for, in words; `holds` says whether it is met, None where there is no bar.
    better: whether less or more of it is wanted; "neither" where it only describes.
    samples, peer_samples: the readings that `ours` and `peer_value` were made of, one for each round (or change); those
        of the same place were taken one after the other. Empty where there was but one.
    interval, ratio_interval: where `ours`, and its ratio to the peer's, lie with 95% confidence; None for too few
        readings.
    floor: the peer is no rival but what cannot be beaten (no proxy at all, a server that keeps no books): it is better
        by its nature, and no loss to report.
    """

    figure: str
    unit: str
    ours: float
    spread: Interval
    peer: str | None = None
    peer_value: float | None = None
    bar: str | None = None
    holds: bool | None = None
    note: str = ""
    better: Literal["less", "more", "neither"] = "less"
    samples: tuple[float, ...] = ()
    peer_samples: tuple[float, ...] = ()
    interval: Interval | None = None
    ratio_interval: Interval | None = None
    floor: bool = False

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer_value if self.peer_value else None

    @property
    def loses(self) -> bool:
        """Whether a rival was better, beyond what the rounds leave open, by more than nobody cares for."""
        if self.floor or self.ratio is None or self.better == "neither":
            return False
        low, high = self.ratio_interval or (self.ratio, self.ratio)
        return low > 1.0 + NEGLIGIBLE if self.better == "less" else high < 1.0 - NEGLIGIBLE

    def as_json(self) -> dict[str, Any]:
        """All fields by their names, and `ratio`: ours to the peer's."""
        return {**asdict(self), "ratio": self.ratio}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Row:
        """Raises TypeError or KeyError for what is no row."""
        names = [each.name for each in fields(cls)]
        known: dict[str, Any] = {name: _frozen(value) for name, value in values.items() if name in names}
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: all curves of one `chart` are drawn into one picture, one after the other.

    points: (x, y), or (x, y, lower, upper) with the ends of y's interval.
    scale: of the x axis. "percentile" takes percents below 100 and stretches the tail: 90, 99 and 99.9 are equally far
        apart.
    """

    chart: str
    series: str
    x_label: str
    y_label: str
    points: tuple[tuple[float, ...], ...]
    scale: Literal["linear", "log", "percentile"] = "linear"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Curve:
        """Raises TypeError or KeyError for what is no curve."""
        return cls(**{**values, "points": tuple(tuple(point) for point in values["points"])})


@dataclass(slots=True)
class Report:
    """The rows of one run, with what is needed to repeat it.

    quick: whether it only shows that it works; its figures mean nothing then.
    notes: what is to be said beside the rows: what is missing, and why, in the words of what was missing.
    """

    benchmark: str
    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quick: bool = False
    started: float = field(default_factory=time.time)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "benchmark": self.benchmark,
            "quick": self.quick,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started, 1),
            "machine": machine(),
            "versions": versions(),
            "commands": [command(sys.argv[1:])],
            "rows": [row.as_json() for row in self.rows],
            "curves": [asdict(curve) for curve in self.curves],
            "notes": self.notes,
        }

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        table = Table("figure", "ours", "quartiles", "peer", "ratio", "bar", title=self.benchmark)
        for row in self.rows:
            low, high = row.spread
            table.add_row(
                row.figure + (f"\n[dim]{row.note}[/]" if row.note else ""),
                f"{row.ours:.3g} {row.unit}",
                f"{low:.3g} to {high:.3g}",
                f"{row.peer_value:.3g} {row.unit} ({row.peer})" if row.peer_value is not None else "none",
                f"{row.ratio:.2f}" if row.ratio is not None else "",
                "" if row.bar is None else f"{row.bar}: {verdict(row.holds)}",
            )
        console.print(table)
        for note in self.notes:
            console.print(note, markup=False)


def verdict(holds: bool | None) -> str:
    """None: the bar is a ratio, and nothing ran beside ours."""
    return {True: "holds", False: "MISSED", None: "not known"}[holds]


def command(arguments: Sequence[str]) -> str:
    """As typed, but for the file that the result is written to: that is everybody's own."""
    words = list(arguments)
    for index, word in enumerate(words):
        if word == "--json" and index + 1 < len(words):
            words[index + 1] = "FILE"
        elif word.startswith("--json="):
            words[index] = "--json=FILE"
    return " ".join(["python", "-m", "benchmarks", *words])


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value

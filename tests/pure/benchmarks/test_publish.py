"""Results as a page and as HTML: what is worse stands first, and nothing is lost on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.publish import NotAResult, Result, document, main, page
from benchmarks.report import Curve, Report, Row
from benchmarks.tables import tables, worse

LOST = Row("rate", "/s", 80.0, (79.0, 81.0), "rival", 100.0, better="more", ratio_interval=(0.75, 0.85))
WON = Row("time", "ms", 1.0, (1.0, 1.0), "rival", 2.0, ratio_interval=(0.4, 0.6))
OPEN = Row("noisy time", "ms", 2.1, (1.0, 3.0), "rival", 2.0, ratio_interval=(0.8, 1.3))
FLOOR = Row("step", "ms", 3.0, (3.0, 3.0), "nothing at all", 1.0, ratio_interval=(2.9, 3.1), floor=True)
MISSED = Row("memory", "MB", 200.0, (200.0, 200.0), bar="≤ 150 MB", holds=False)


def written(folder: Path, report: Report) -> Path:
    path = folder / f"{report.benchmark}.json"
    report.write(path)
    return path


def test_worse_is_what_misses_a_bar_or_loses_to_a_rival_beyond_noise() -> None:
    said = worse([LOST, WON, OPEN, FLOOR, MISSED])
    assert [sentence.partition(":")[0] for sentence in said] == ["rate", "memory"]
    assert "80 /s against 100 /s of rival (0.80 ×, 95%: 0.75 to 0.85)" in said[0]


def test_a_page_begins_with_what_is_worse_and_has_every_figure(tmp_path: Path) -> None:
    report = Report("made-up", rows=[WON, LOST, MISSED], notes=["why a peer is missing"])
    text = page([Result.read(written(tmp_path, report))])
    first, rest = text.split("## What is worse, first")[1].split("\n## ", 1)
    assert "made-up: rate" in first
    assert "made-up: memory" in first
    assert "time" not in first
    for words in ("| time |", "| rate |", "MISSED", "- why a peer is missing", "Machine: ", "commit "):
        assert words in rest


def test_what_people_wrote_stays_where_nothing_was_measured() -> None:
    text = page([])
    assert "go-control-plane" in text
    assert "What is worse, first" not in text
    assert "<!--" not in text


def test_a_result_takes_the_place_of_what_stood_in(tmp_path: Path) -> None:
    text = page([Result.read(written(tmp_path, Report("dataplane", rows=[WON])))])
    assert "Not measured yet" not in text.split("## dataplane")[1].split("\n## ")[0]


def test_a_quick_run_says_so_and_judges_nothing(tmp_path: Path) -> None:
    result = Result.read(written(tmp_path, Report("made-up", rows=[LOST, MISSED], quick=True)))
    assert "made-up: rate" not in page([result])
    assert "figures mean nothing" in page([result])


def test_figures_of_one_subject_are_one_line() -> None:
    rows = [
        Row(f"{way}: {name}", unit, 1.0, (1.0, 1.0))
        for way in ("one", "two")
        for name, unit in (("p50", "ms"), ("p99", "ms"), ("rate", "/s"))
    ]
    wide, narrow = tables([*rows, MISSED])
    assert wide.head[:4] == ["", "p50, ms", "p99, ms", "rate, /s"]
    assert [line[0] for line in wide.lines] == ["one", "two"]
    assert narrow.lines[0][0] == "memory"


def test_html_needs_no_other_file_and_has_a_picture_of_each_chart_and_of_ratios(tmp_path: Path) -> None:
    curves = [
        Curve("latency <b>", name, "percentile", "ms", ((50.0, 1.0), (99.0, 3.0), (99.9, 9.0)), scale="percentile")
        for name in ("ours", "theirs")
    ]
    curves.append(Curve("growth", "ours", "routes", "ms", ((1.0, 1.0, 0.9, 1.1), (1000.0, 3.0, 2.9, 3.1)), scale="log"))
    report = Report("made-up", rows=[LOST, WON, FLOOR], curves=curves)
    text = document([Result.read(written(tmp_path, report))])
    assert text.count("<svg") == 4
    assert "<b>" not in text.split("</h2>", 2)[2].replace("<b>A", "")
    assert not re.search(r"""(?:src|href)=["'](?!#)""", text)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}", "want what"), ("nonsense", "want what"), ('{"schema": 1, "rows": []}', "got schema 1, want 2")],
)
def test_a_file_that_is_no_result_is_named(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(NotAResult, match=words):
        Result.read(path)
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_the_command_writes_both(tmp_path: Path) -> None:
    path = written(tmp_path, Report("made-up", rows=[WON]))
    made, shown = tmp_path / "page.md", tmp_path / "page.html"
    assert main([str(path), "--page", str(made), "--html", str(shown)]) == 0
    assert "made-up" in made.read_text()
    assert "made-up" in shown.read_text()
    assert json.loads(path.read_text())["benchmark"] == "made-up"

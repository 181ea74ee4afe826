"""`python -m benchmarks report FILE...`: results as a page of the documentation, and as one HTML file with pictures.

What is worse than a rival's, or than was asked for, stands first. How each benchmark measures is written by people, in
`benchmarks/words/NAME.md`; what follows its line `<!-- measured -->` stands in for a result that is not given.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import SCHEMA, Curve, Row
from benchmarks.tables import Table, tables, worse

_WORDS = Path(__file__).parent / "words"
_MARK = "<!-- measured -->"
_FIRST = ("claims", "dataplane", "propagation", "fanout", "peers")
_SHOWN_VERSIONS = ("envoy", "fortio", "go", "grpcio", "protobuf", "envoy-data-plane", "betterproto2", "commit")


class NotAResult(ValueError):  # noqa: N818  # says what it is
    """A file that holds no result."""


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's result, read."""

    benchmark: str
    quick: bool
    at: str
    seconds: float
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    commands: Sequence[str]
    rows: Sequence[Row]
    curves: Sequence[Curve]
    notes: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises NotAResult."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["schema"] != SCHEMA:
                raise NotAResult(f"{path}: got schema {values['schema']}, want {SCHEMA}: measure again")
            rows = [Row.from_json(row) for row in values.pop("rows")]
            curves = [Curve.from_json(curve) for curve in values.pop("curves")]
            del values["schema"]
            return cls(**values, rows=rows, curves=curves)
        except (OSError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, NotAResult):
                raise
            raise NotAResult(f"{path}: {error}: want what `python -m benchmarks NAME --json FILE` wrote") from error

    @property
    def made_with(self) -> str:
        """Machine, versions, when, how long, and the command, in a paragraph."""
        machine = self.machine
        parts = [f"{machine['cpus']} cores of {machine['cpu']}", f"{machine['memory_mb'] / 1000:.0f} GB"]
        parts += [machine["architecture"], machine["system"], f"load average {machine['load_at_end']:.1f} at the end"]
        known = [f"{name} {_short(self.versions[name])}" for name in _SHOWN_VERSIONS if name in self.versions]
        took = f"{self.at}, {self.seconds / 60:.0f} min" if self.seconds >= 60 else f"{self.at}, {self.seconds:.0f} s"
        commands = ", ".join(f"`{command}`" for command in self.commands)
        return (
            f"Machine: {', '.join(parts)}. Python {machine['python']}; {', '.join(known)}. {took}. Command: {commands}."
        )


def page(results: Sequence[Result]) -> str:
    """docs/benchmarks.md."""
    by_name = {result.benchmark: result for result in results}
    parts = [_words("index")[0]]
    if any(not result.quick for result in results):
        parts.append("## What is worse, first\n\n" + _worse_first(results))
    known = {path.stem for path in _WORDS.glob("*.md")} - {"index"}
    for name in _ordered(known | set(by_name)):
        words, stand_in = _words(name)
        part = [words or f"## {name}"]
        if (result := by_name.get(name)) is not None:
            part += ["### Last measured", *_quick(result), *(table.markdown() for table in tables(result.rows))]
            part += ["\n".join(f"- {note}" for note in result.notes)] if result.notes else []
            part.append(result.made_with)
        elif stand_in:
            part.append(stand_in)
        parts.append("\n\n".join(text.strip("\n") for text in part))
    return "\n\n".join(text.strip("\n") for text in parts) + "\n"


def document(results: Sequence[Result]) -> str:
    """One HTML file that needs no other: tables, and pictures as SVG."""
    from benchmarks import plots

    body = ["<h1>APG Mesh: benchmarks</h1>", "<h2>What is worse, first</h2>"]
    sentences = _worse(results)
    body.append(_list(sentences) if sentences else "<p>No bar is missed, and no rival is better.</p>")
    by_name = {result.benchmark: result for result in results}
    for name in _ordered(set(by_name)):
        result = by_name[name]
        body.append(f"<h2>{html.escape(name)}</h2>")
        body += [f"<p><b>{html.escape(text)}</b></p>" for text in _quick(result)]
        for chart in dict.fromkeys(curve.chart for curve in result.curves):
            body.append(plots.curves([curve for curve in result.curves if curve.chart == chart]))
        compared = [row for row in result.rows if row.ratio is not None and not row.floor]
        if compared:
            body.append(plots.ratios(f"{name}: ratios to what ran beside, with 95% intervals", compared))
        steps = [row for row in result.rows if row.ratio is not None and row.floor]
        if steps:
            body.append(plots.ratios(f"{name}: what a step more costs, with 95% intervals", steps))
        body += [_html(table) for table in tables(result.rows)]
        body.append(_list(result.notes) if result.notes else "")
        body.append(f"<p>{html.escape(result.made_with)}</p>")
    return _PAGE.replace("BODY", "\n".join(body))


def _quick(result: Result) -> list[str]:
    return ["A `--quick` run: it shows that it works, and its figures mean nothing."] if result.quick else []


def _worse(results: Sequence[Result]) -> list[str]:
    """Of a `--quick` run, nothing can be said."""
    return [f"{result.benchmark}: {said}" for result in results if not result.quick for said in worse(result.rows)]


def _worse_first(results: Sequence[Result]) -> str:
    lines = [f"- {sentence}." for sentence in _worse(results)]
    return "\n".join(lines) or "Of what was measured last, no bar is missed, and no rival is better."


def _ordered(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def _words(name: str) -> tuple[str, str]:
    """What people wrote, and what stands in for a result."""
    path = _WORDS / f"{name}.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, _, after = text.partition(_MARK)
    return before.strip("\n"), after.strip("\n")


def _short(version: str) -> str:
    """Of Envoy's long words, the number alone."""
    parts = version.split("/")
    return parts[1] if len(parts) > 1 else version


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.head)
    lines = (
        "<tr>" + "".join(f"<td{_class(cell)}>{html.escape(cell)}</td>" for cell in line) + "</tr>"
        for line in table.lines
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _class(cell: str) -> str:
    return ' class="missed"' if cell.endswith("MISSED") else ""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 2 where a file is no result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what --json wrote")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page of the documentation there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the HTML there")
    chosen = parser.parse_args(arguments)
    try:
        results = [Result.read(path) for path in chosen.files]
    except NotAResult as error:
        print(error, file=sys.stderr)
        return 2
    made = page(results)
    if chosen.page is not None:
        chosen.page.write_text(made, encoding="utf-8")
    if chosen.html is not None:
        chosen.html.write_text(document(results), encoding="utf-8")
    if chosen.page is None and chosen.html is None:
        print(made)
    return 0


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>APG Mesh: benchmarks</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.missed { color: #b3412e; font-weight: 600; }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
</style>
BODY
</html>
"""

"""Results as tables: figures of one subject in one line, and what is worse than it should be before everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.report import Row, verdict

_WIDE = 3  # figures that a subject has at least, for a table with a column for each

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    head: Cells
    lines: list[Cells]

    def markdown(self) -> str:
        rows = [self.head, ["---"] * len(self.head), *self.lines]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"


def tables(rows: Sequence[Row]) -> list[Table]:
    """Of all `rows`. Where neighbours are named "SUBJECT: FIGURE" and a subject has several figures, it is one line of
    a table that has a column for each; all others are a line each."""
    made: list[Table] = []
    narrow: list[Row] = []
    wide: list[tuple[str, list[Row]]] = []

    def flush() -> None:
        if narrow:
            made.append(_narrow(narrow))
        if wide:
            made.append(_wide(wide))
        narrow.clear()
        wide.clear()

    for subject, group in _subjects(rows):
        if len(group) < _WIDE:
            if wide:
                flush()
            narrow += group
        else:
            if narrow or (wide and not _same_columns(wide[-1][1], group)):
                flush()
            wide.append((subject, group))
    flush()
    return made


def worse(rows: Iterable[Row]) -> list[str]:
    """A sentence for each bar that is missed, and for each figure in which a rival is better."""
    said = []
    for row in rows:
        if row.holds is False:
            said.append(f"{row.figure}: {quantity(row.ours, row.unit)}{_beside(row)}; asked for: {row.bar}")
        elif row.loses:
            said.append(f"{row.figure}: {quantity(row.ours, row.unit)}{_beside(row)}")
    return said


def quantity(value: float, unit: str) -> str:
    """Three digits and the unit."""
    return f"{number(value)} {unit}".strip()


def number(value: float) -> str:
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _beside(row: Row) -> str:
    if row.peer is None or row.peer_value is None or row.ratio is None:
        return ""
    interval = f", 95%: {row.ratio_interval[0]:.2f} to {row.ratio_interval[1]:.2f}" if row.ratio_interval else ""
    return f" against {quantity(row.peer_value, row.unit)} of {row.peer} ({row.ratio:.2f} ×{interval})"


def _subjects(rows: Sequence[Row]) -> Iterable[tuple[str, list[Row]]]:
    """Neighbours of the same subject together."""
    group: list[Row] = []
    before = None
    for row in rows:
        subject = row.figure.rpartition(": ")[0] or row.figure
        if group and subject != before:
            yield before or "", group
            group = []
        before = subject
        group.append(row)
    if group:
        yield before or "", group


def _same_columns(one: Sequence[Row], other: Sequence[Row]) -> bool:
    """Whether the shorter has no column that the longer lacks."""
    first, second = ({_column(row) for row in rows} for rows in (one, other))
    return first <= second or second <= first


def _column(row: Row) -> str:
    figure = row.figure.rpartition(": ")[2]
    return f"{figure}, {row.unit}" if row.unit else figure


def _wide(subjects: Sequence[tuple[str, list[Row]]]) -> Table:
    columns = list(dict.fromkeys(_column(row) for _, rows in subjects for row in rows))
    lines = []
    for subject, rows in subjects:
        cells = {_column(row): _cell(row) for row in rows}
        peers = dict.fromkeys(row.peer for row in rows if row.peer)
        lines.append([subject, *(cells.get(column, "") for column in columns), ", ".join(peers)])
    return Table(["", *columns, "× of"], lines)


def _cell(row: Row) -> str:
    """The value, its ratio, and whether its bar is held."""
    parts = [number(row.ours)]
    if row.ratio is not None:
        span = f" {row.ratio_interval[0]:.2f} to {row.ratio_interval[1]:.2f}" if row.ratio_interval else ""
        parts.append(f"({row.ratio:.2f} ×{span})")
    if row.bar is not None:
        parts.append(f"{row.bar}: {verdict(row.holds)}")
    return " ".join(parts)


def _narrow(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        low, high = row.interval or row.spread
        span = f"{number(low)} to {number(high)}" if (low, high) != (row.ours, row.ours) else ""
        peer = f"{quantity(row.peer_value, row.unit)} ({row.peer})" if row.peer_value is not None else ""
        ratio = ""
        if row.ratio is not None:
            ratio = f"{row.ratio:.2f}"
            if row.ratio_interval:
                ratio += f" ({row.ratio_interval[0]:.2f} to {row.ratio_interval[1]:.2f})"
        bar = f"{row.bar}: {verdict(row.holds)}" if row.bar else ""
        lines.append([row.figure, quantity(row.ours, row.unit), span, peer, ratio, bar, row.note])
    head = ["figure", "ours", "interval", "beside it", "ratio", "bar", "note"]
    kept = [index for index in range(len(head)) if index < 2 or any(line[index] for line in lines)]
    return Table([head[index] for index in kept], [[line[index] for index in kept] for line in lines])

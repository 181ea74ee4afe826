"""From what was read of two sides to the rows and curves of the report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console

from benchmarks.figures import row
from benchmarks.intervals import percentile, quartiles
from benchmarks.peers.driven import Changes, Fleet
from benchmarks.report import Curve, Report, Row

_ANSWER = "change to first answer by the new route"
_MEDIAN = f"{_ANSWER}, p50"
_MEMORY = "memory"
_THOUSAND = 1_000


class Findings:
    """Takes what was measured beside one peer, and tells it at once: a long run may be cut short."""

    def __init__(self, report: Report, console: Console, peer: str) -> None:
        self._report = report
        self._console = console
        self._peer = peer

    def growth(
        self,
        routes: int,
        ours: Sequence[float],
        theirs: Sequence[float],
        our_memory: Sequence[float],
        their_memory: Sequence[float],
    ) -> None:
        """ms from change to answer, round by round; MB of each program, the control plane first."""
        of = _of(routes)
        self._add(f"{_MEDIAN}, {of}", "ms", ours, theirs)
        self._add(f"{_ANSWER}, p90, {of}", "ms", ours, theirs, share=0.9)
        self._each(f"{_MEMORY}, {of}", "MB", our_memory, their_memory)

    def one_by_one(self, routes: int, ours: Changes, theirs: Changes) -> None:
        figure = f"CPU for 1,000 changes, each when the last one is answered, {_of(routes)}"
        self._each(figure, "s", _cpu(ours), _cpu(theirs), note=f"from {ours.count} and {theirs.count} changes")

    def at_a_pace(self, routes: int, pace: float, ours: Changes, theirs: Changes) -> None:
        figure = f"CPU for 1,000 changes, {pace:g} a second, {_of(routes)}"
        note = f"from {ours.count} and {theirs.count} changes, which the Envoy was sent in {ours.updates} and "
        note += f"{theirs.updates} updates; the last one was answered after {ours.wall_s:.1f} and {theirs.wall_s:.1f} s"
        self._each(figure, "s", _cpu(ours), _cpu(theirs), note=note)

    def fleet(
        self,
        routes: int,
        proxies: int,
        ours: Fleet,
        theirs: Fleet,
        our_memory: Sequence[float],
        their_memory: Sequence[float],
    ) -> None:
        of = f"{proxies:,} proxies, {_of(routes)}"
        refused = f"{ours.refused} and {theirs.refused} connections were turned away, and came back"
        self._add(
            f"until all have their first configuration, {of}", "s", [ours.settle_s], [theirs.settle_s], note=refused
        )
        octets = f"{_kilobytes(ours)} and {_kilobytes(theirs)} for each proxy"
        self._add(f"change to last receipt, {of}", "ms", ours.push_ms, theirs.push_ms, note=octets)
        self._add(f"CPU of a change for all, {of}", "ms", ours.cpu_ms, theirs.cpu_ms, note="all that the peer runs on")
        self._each(f"{_MEMORY}, {of}", "MB", our_memory, their_memory)

    def _each(self, figure: str, unit: str, ours: Sequence[float], theirs: Sequence[float], *, note: str = "") -> None:
        """Of the control plane alone; and with what the peer cannot do without, where that is more."""
        self._add(figure, unit, ours[:1], theirs[:1], note=note)
        if len(theirs) > 1:
            note = "; ".join(filter(None, ["with the API server and etcd", note]))
            self._add(f"{figure}, all programs", unit, [sum(ours)], [sum(theirs)], note=note)

    def _add(
        self,
        figure: str,
        unit: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        *,
        note: str = "",
        share: float = 0.5,
    ) -> None:
        made = row(
            f"beside {self._peer}: {figure}",
            unit,
            ours,
            peer=self._peer,
            theirs=theirs,
            note=note,
            of=lambda values: percentile(values, share),
        )
        self._report.add(made)
        self._console.print(f"  {figure}: {made.ours:.3g} {unit} ({made.peer_value:.3g})", markup=False)


def draw(report: Report) -> None:
    """Curves of what grows with the routes: a line for each peer, and ours beside it."""
    for chart, unit in ((_MEDIAN, "ms"), (_MEMORY, "MB")):
        found = [(made, _routes(made, chart)) for made in report.rows]
        for peer in dict.fromkeys(made.peer for made, _ in found):
            theirs = [(made, routes) for made, routes in found if made.peer == peer and routes is not None]
            ours = tuple((float(routes), made.ours, *_ends(made.samples)) for made, routes in theirs)
            them = tuple((float(routes), made.peer_value or 0.0, *_ends(made.peer_samples)) for made, routes in theirs)
            for series, points in ((f"APG Mesh, beside {peer}", ours), (str(peer), them)):
                if len(points) > 1:
                    report.curves.append(Curve(chart, series, "routes", unit, points, scale="log"))


def _routes(made: Row, chart: str) -> int | None:
    """The number of routes, where it is a row of the chart."""
    head, _, tail = made.figure.rpartition(f": {chart}, ")
    number, _, word = tail.partition(" ")
    return int(number.replace(",", "")) if head and word in ("route", "routes") else None


def _ends(samples: Sequence[float]) -> tuple[float, ...]:
    return tuple(quartiles(samples)) if samples else ()


def _kilobytes(fleet: Fleet) -> str:
    return f"{statistics.median(fleet.octets) / 1e3:.1f} kB"


def _cpu(changes: Changes) -> list[float]:
    """Seconds of each program for a thousand changes."""
    return [seconds * _THOUSAND / changes.count for seconds in changes.cpu_s]


def _of(routes: int) -> str:
    return f"{routes:,} routes" if routes > 1 else "1 route"

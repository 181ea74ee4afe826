"""From readings to rows: latencies of merged histograms, CPU time for each request, the greatest rate, and the bars."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks import figures, intervals
from benchmarks.dataplane.paths import DIRECT, GATEWAY, MTLS, PLAIN, POLICIES, STATIC, TELEMETRY, TITLES
from benchmarks.figures import Bar
from benchmarks.fortio import Run, Speaks, together
from benchmarks.report import Curve, Report, Row

_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
_CURVE = (10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9)
_WITHIN = 1.05  # of the static Envoy's
_ADDED_P50_MS, _ADDED_MTLS_P99_MS = 1.0, 2.0
_SATURATED = 0.95  # of a core

BESIDE = {
    STATIC: DIRECT,
    GATEWAY: STATIC,
    TELEMETRY: GATEWAY,
    POLICIES: GATEWAY,
    PLAIN: DIRECT,
    MTLS: PLAIN,
}
"""What each way is compared with. Only the static Envoy is a rival; the others say what a step more costs."""


class Load(enum.Enum):
    CONSTANT = "constant"
    SATURATION = "saturation"


@dataclass(frozen=True, slots=True)
class Reading:
    """One run on one way. CPU times in seconds; the proxies' are of all on the way together, as is `rss_mb`."""

    run: Run
    proxies_cpu: float
    backend_cpu: float
    rss_mb: float


Measured: TypeAlias = MutableMapping[tuple[Speaks, Load, str], list[Reading]]
"""The readings of a way, one for each round; those of the same place are of the same round."""


def add(report: Report, measured: Measured, *, rate: float, with_bars: bool) -> None:
    """All rows and curves. Readings of the same protocol and load are together, those of a way are one line of a table:
    "PROTOCOL, LOAD, WAY: FIGURE"."""
    spoken = list(dict.fromkeys(speaks for speaks, _, _ in measured))
    names = [name for name in TITLES if any(name == found for _, _, found in measured)]
    for speaks in spoken:
        for load in Load:
            of_load = {name: measured[speaks, load, name] for name in names}
            said = f"{speaks.value}, {rate:,.0f} a second" if load is Load.CONSTANT else f"{speaks.value}, saturation"
            for name in names:
                _add_way(report, said, load, name, of_load, bars=with_bars)
            if load is Load.CONSTANT:
                _add_curves(report, said, of_load)
                _add_differences(report, said, of_load, with_bars=with_bars)
            else:
                report.notes += [_who_limits(said, name, of_load[name]) for name in names]
    _add_failures(report, measured, with_bars=with_bars)
    _add_omissions(report, measured)


def _add_way(
    report: Report, said: str, load: Load, name: str, of_load: Mapping[str, Sequence[Reading]], *, bars: bool
) -> None:
    beside = BESIDE.get(name)
    others = of_load.get(beside) if beside is not None else None
    rows = _Rows(report, f"{said}, {TITLES[name]}", of_load[name], TITLES.get(beside or ""), others, name)
    judged = bars and name == GATEWAY
    for label, share in _SHARES.items():
        bar = Bar(ratio=_WITHIN) if judged and load is Load.CONSTANT and label in ("p50", "p99") else None
        rows.latency(label, share, bar)
    if load is Load.SATURATION:
        rows.add("requests a second", "/s", lambda reading: reading.run.rate, more=True, judged=judged)
    if name != DIRECT:
        rows.add("CPU a request", "µs", lambda reading: reading.proxies_cpu * 1e6 / reading.run.requests)
    if name != DIRECT and load is Load.SATURATION:
        rows.add("RSS", "MB", lambda reading: reading.rss_mb)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one way under one load, beside another way."""

    report: Report
    subject: str
    readings: Sequence[Reading]
    peer: str | None
    others: Sequence[Reading] | None
    name: str

    def add(
        self, figure: str, unit: str, of: Callable[[Reading], float], *, more: bool = False, judged: bool = False
    ) -> None:
        ours = [of(reading) for reading in self.readings]
        theirs = [of(reading) for reading in self.others] if self.others else None
        self.report.add(
            figures.row(
                f"{self.subject}: {figure}",
                unit,
                ours,
                peer=self.peer,
                theirs=theirs if theirs and all(theirs) else None,
                bar=Bar(least_ratio=1 / _WITHIN) if judged else None,
                better="more" if more else "less",
                floor=self.name != GATEWAY,
            )
        )

    def latency(self, label: str, share: float, bar: Bar | None) -> None:
        """A percentile of the merged histograms of all rounds; its samples are those of the rounds."""

        def of(runs: Sequence[Run]) -> float:
            return together(runs).percentile(share) * 1e3

        ours = [reading.run for reading in self.readings]
        theirs = [reading.run for reading in self.others] if self.others else None
        value, peer_value = of(ours), of(theirs) if theirs else None
        rounds = tuple(of([run]) for run in ours)
        self.report.add(
            Row(
                figure=f"{self.subject}: {label}",
                unit="ms",
                ours=value,
                spread=intervals.quartiles(rounds),
                peer=self.peer if theirs else None,
                peer_value=peer_value,
                bar=str(bar) if bar else None,
                holds=bar.holds(value, peer_value) if bar else None,
                samples=rounds,
                peer_samples=tuple(of([run]) for run in theirs) if theirs else (),
                interval=intervals.bootstrap(ours, of),
                ratio_interval=intervals.of_quotient(ours, theirs, of) if theirs else None,
                floor=self.name != GATEWAY,
            )
        )


def _add_differences(report: Report, said: str, of_load: Mapping[str, Sequence[Reading]], *, with_bars: bool) -> None:
    """What a way adds to the direct one, round by round."""
    direct = of_load.get(DIRECT)
    if not direct:
        return
    for name, label, most in ((GATEWAY, "p50", _ADDED_P50_MS), (MTLS, "p99", _ADDED_MTLS_P99_MS)):
        if not of_load.get(name):
            continue
        share = _SHARES[label]
        merged = [together([reading.run for reading in each]).percentile(share) for each in (of_load[name], direct)]
        rounds = [
            (mine.run.latencies.percentile(share) - other.run.latencies.percentile(share)) * 1e3
            for mine, other in zip(of_load[name], direct, strict=True)
        ]
        added = (merged[0] - merged[1]) * 1e3
        bar = Bar(most=most, unit="ms")
        report.add(
            Row(
                figure=f"{said}: {TITLES[name]} adds to {label}",
                unit="ms",
                ours=added,
                spread=intervals.quartiles(rounds),
                bar=str(bar) if with_bars else None,
                holds=bar.holds(added, None) if with_bars else None,
                samples=tuple(rounds),
                interval=intervals.bootstrap(rounds, statistics.median),
            )
        )


def _add_curves(report: Report, said: str, of_load: Mapping[str, Sequence[Reading]]) -> None:
    for name, readings in of_load.items():
        merged = together([reading.run for reading in readings])
        values = merged.percentiles([percent / 100 for percent in _CURVE])
        points = tuple((percent, value * 1e3) for percent, value in zip(_CURVE, values, strict=True))
        report.curves.append(Curve(f"latency: {said}", TITLES[name], "percentile", "ms", points, scale="percentile"))


def _who_limits(said: str, name: str, readings: Sequence[Reading]) -> str:
    """What share of a core each took: what is at its core's end is what limits."""
    seconds = sum(reading.run.seconds for reading in readings)
    proxies = sum(reading.proxies_cpu for reading in readings) / seconds
    backend = sum(reading.backend_cpu for reading in readings) / seconds
    client = sum(reading.run.client_cpu for reading in readings) / seconds
    if proxies >= _SATURATED:
        limit = "the proxies' core is full: they limit"
    elif backend + client >= _SATURATED:
        limit = "the other core is full: client and backend limit"
    else:
        limit = "no core is full: something else on the machine limits"
    shares = f"proxies {proxies:.0%}, backend {backend:.0%}, client {client:.0%} of a core"
    return f"{said}, {TITLES[name]}: {shares}; {limit}."


def _add_failures(report: Report, measured: Measured, *, with_bars: bool) -> None:
    runs = [reading.run for readings in measured.values() for reading in readings]
    errors, requests = sum(run.errors for run in runs), sum(run.requests for run in runs)
    report.add(
        Row(
            figure="requests without a right answer",
            unit="requests",
            ours=errors,
            spread=(errors, errors),
            bar="0" if with_bars else None,
            holds=errors == 0 if with_bars else None,
            note=f"of {requests:,}",
        )
    )


def _add_omissions(report: Report, measured: Measured) -> None:
    """How much coordinated omission there was: turns that were skipped because an answer was late."""
    runs = [reading.run for (_, load, _), readings in measured.items() if load is Load.CONSTANT for reading in readings]
    skipped, planned = sum(run.skipped for run in runs), sum(run.skipped + run.requests for run in runs)
    report.add(
        Row(
            figure="coordinated omission at a constant rate: turns skipped by connections whose answer was late",
            unit="requests",
            ours=skipped,
            spread=(skipped, skipped),
            note=f"of {planned:,}",
        )
    )

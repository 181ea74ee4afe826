"""From readings of the data plane to rows: bars are judged by what was measured beside each other."""

from __future__ import annotations

from collections import defaultdict

import pytest

from benchmarks.dataplane.paths import DIRECT, GATEWAY, MTLS, STATIC
from benchmarks.dataplane.rows import Load, Measured, Reading, add
from benchmarks.fortio import Run, Speaks
from benchmarks.histogram import Histogram
from benchmarks.report import Report, Row

ROUNDS = 5


def reading(milliseconds: float, *, rate: float, cpu: float = 0.9, errors: int = 0, skipped: int = 0) -> Reading:
    """One second in which all requests took about so long."""
    centre = milliseconds / 1e3
    histogram = Histogram({(centre * 0.99, centre * 1.01): int(rate)})
    return Reading(Run(int(rate), errors, skipped, 1.0, histogram, client_cpu=0.4), cpu, 0.2, 70.0)


def rows_of(measured: Measured, *, with_bars: bool = True) -> tuple[dict[str, Row], Report]:
    report = Report("dataplane")
    add(report, measured, rate=1_000, with_bars=with_bars)
    return {row.figure: row for row in report.rows}, report


def measured(*, gateway_ms: float = 0.3, gateway_rate: float = 20_000, mtls_ms: float = 1.0) -> Measured:
    found: Measured = defaultdict(list)
    ways = {DIRECT: (0.1, 40_000), STATIC: (0.3, 20_000), GATEWAY: (gateway_ms, gateway_rate), MTLS: (mtls_ms, 9_000)}
    for number in range(ROUNDS):
        for way, (milliseconds, rate) in ways.items():
            drift = 1 + number / 100  # meets all ways alike
            found[Speaks.HTTP1, Load.CONSTANT, way].append(reading(milliseconds * drift, rate=1_000))
            found[Speaks.HTTP1, Load.SATURATION, way].append(reading(1.0 * drift, rate=rate / drift))
    return found


def test_as_good_as_the_static_one_holds_all_bars() -> None:
    rows, _ = rows_of(measured())
    judged = {figure: row.holds for figure, row in rows.items() if row.bar is not None}
    assert len(judged) == 6
    assert all(judged.values())
    p50 = rows["HTTP/1.1, 1,000 a second, our gateway: p50"]
    assert p50.peer == "static Envoy"
    assert p50.ratio == pytest.approx(1)
    assert p50.ratio_interval == pytest.approx((1, 1))
    assert len(p50.samples) == ROUNDS


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (measured(gateway_ms=0.33), {"our gateway: p50", "our gateway: p99"}),
        (measured(gateway_rate=18_000), {"our gateway: requests a second"}),
        (measured(gateway_ms=1.3), {"our gateway: p50", "our gateway: p99", "our gateway adds to p50"}),
        (measured(mtls_ms=2.3), {"our sidecars, mTLS adds to p99"}),
    ],
)
def test_a_bar_is_missed_by_what_it_is_about(found: Measured, missed: set[str]) -> None:
    rows, _ = rows_of(found)
    for figure, row in rows.items():
        expected = any(figure.endswith(words) and row.bar is not None for words in missed)
        assert (row.holds is False) == expected, figure


def test_a_quick_run_judges_nothing() -> None:
    rows, _ = rows_of(measured(gateway_ms=9.0), with_bars=False)
    assert all(row.bar is None for row in rows.values())


def test_failures_and_skipped_turns_are_counted() -> None:
    found = measured()
    found[Speaks.HTTP1, Load.CONSTANT, GATEWAY][0] = reading(0.3, rate=990, errors=4, skipped=10)
    rows, _ = rows_of(found)
    assert (rows["requests without a right answer"].ours, rows["requests without a right answer"].holds) == (4, False)
    [omitted] = [row for figure, row in rows.items() if figure.startswith("coordinated omission")]
    assert (omitted.ours, omitted.note) == (10, "of 20,000")


def test_what_limits_is_said() -> None:
    found = measured()
    found[Speaks.HTTP1, Load.SATURATION, STATIC] = [reading(1.0, rate=20_000, cpu=0.99)] * ROUNDS
    _, report = rows_of(found)
    said = {note.split(":")[0]: note for note in report.notes}
    assert "they limit" in said["HTTP/1.1, saturation, static Envoy"]
    assert "no core is full" in said["HTTP/1.1, saturation, our gateway"]

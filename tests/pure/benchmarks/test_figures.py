"""The fan-out benchmark's arithmetic: medians, spreads, ratios, bars."""

from __future__ import annotations

import pytest

from benchmarks.figures import Bar, row


def test_a_row_is_the_median_of_its_rounds_with_their_spread_and_ratios() -> None:
    made = row("f", "ms", [5.0, 1.0, 3.0], peer="p", theirs=[10.0, 4.0, 2.0], bar=Bar(ratio=1.0), note="n")
    assert (made.ours, made.peer_value, made.spread) == (3.0, 4.0, (2.0, 4.0))
    assert made.ratio == 0.75
    assert (made.bar, made.holds) == ("≤ 1 × peer", True)
    # The rounds' ratios are 0.5, 0.25 and 1.5: round by round, as they ran beside each other.
    assert made.note == "n; 3 rounds in alternation, ratios 0.38 to 1.00"


def test_a_row_without_a_peer_says_so_and_leaves_a_ratio_open() -> None:
    made = row("f", "ms", [5.0, 7.0], peer="p", bar=Bar(ratio=0.5))
    assert (made.peer, made.peer_value, made.ratio, made.holds) == (None, None, None, None)
    assert made.note == "2 rounds"


def test_one_reading_has_no_rounds() -> None:
    assert row("f", "", [2.0], bar=Bar(most=2)).note == ""


@pytest.mark.parametrize(
    ("bar", "ours", "peer", "words", "holds"),
    [
        (Bar(most=120, unit="MB"), 120.0, None, "≤ 120 MB", True),
        (Bar(most=120, unit="MB"), 120.1, None, "≤ 120 MB", False),
        (Bar(most=0), 0.0, None, "≤ 0", True),
        (Bar(ratio=0.3), 3.0, 10.0, "≤ 0.3 × peer", True),
        (Bar(ratio=0.3), 3.1, 10.0, "≤ 0.3 × peer", False),
        (Bar(ratio=0.3), 3.0, 0.0, "≤ 0.3 × peer", None),
        (Bar(ratio=0.6, most=120, unit="MB"), 100.0, 150.0, "≤ 120 MB and ≤ 0.6 × peer", False),
        (Bar(ratio=0.6, most=120, unit="MB"), 130.0, 500.0, "≤ 120 MB and ≤ 0.6 × peer", False),
        (Bar(ratio=0.6, most=120, unit="MB"), 100.0, 500.0, "≤ 120 MB and ≤ 0.6 × peer", True),
        (Bar(ratio=0.6, most=120, unit="MB"), 100.0, None, "≤ 120 MB and ≤ 0.6 × peer", None),
    ],
)
def test_bars_are_ratios_or_bounds_or_both(
    bar: Bar, ours: float, peer: float | None, words: str, holds: bool | None
) -> None:
    assert str(bar) == words
    assert bar.holds(ours, peer) is holds

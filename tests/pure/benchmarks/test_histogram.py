"""Latencies in buckets: merged over rounds, their percentiles are those of all values together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fortio import result
from benchmarks.histogram import Histogram
from benchmarks.intervals import percentile

WIDTH = 0.001


def of(values: list[float]) -> Histogram:
    """As Fortio exports them: whole buckets, but for the ends of the first and the last."""
    counts: dict[int, int] = {}
    for value in values:
        counts[int(value / WIDTH)] = counts.get(int(value / WIDTH), 0) + 1
    data = [{"Start": key * WIDTH, "End": (key + 1) * WIDTH, "Count": count} for key, count in sorted(counts.items())]
    data[0]["Start"], data[-1]["End"] = min(values), max(values)
    return Histogram.of_fortio({"Data": data})


latencies = st.lists(st.floats(0.0001, 0.1), min_size=1, max_size=60)


@given(latencies, latencies, latencies)
def test_merging_keeps_each_value_within_its_bucket(one: list[float], two: list[float], three: list[float]) -> None:
    parts = [of(one), of(two), of(three)]
    merged = Histogram.merged(parts)
    everything = one + two + three
    assert merged.count == len(everything)
    assert merged.most == pytest.approx(max(everything))
    for share in (0.1, 0.5, 0.9, 0.99):
        found = merged.percentile(share)
        below = sum(value <= found + 2 * WIDTH for value in everything)
        above = sum(value >= found - 2 * WIDTH for value in everything)
        assert below >= share * len(everything) - 1e-9
        assert above >= (1 - share) * len(everything) - 1e-9


@given(latencies, latencies)
def test_it_does_not_matter_in_which_order_rounds_are_merged(one: list[float], two: list[float]) -> None:
    shares = [0.25, 0.5, 0.999]
    there = Histogram.merged([of(one), of(two)]).percentiles(shares)
    assert Histogram.merged([of(two), of(one)]).percentiles(shares) == pytest.approx(there)
    assert Histogram.merged([of(one), Histogram({})]).counts == of(one).counts


@given(latencies)
def test_percentiles_rise_and_stay_within_what_was_counted(values: list[float]) -> None:
    found = of(values).percentiles([0.0, 0.25, 0.5, 0.75, 1.0])
    assert found == sorted(found)
    assert min(values) - 1e-12 <= found[0]
    assert found[-1] <= max(values) + 1e-12


def test_a_merged_tail_is_that_of_all_values_and_no_mean_of_tails() -> None:
    draw = random.Random(1)
    fast = [draw.uniform(0.001, 0.002) for _ in range(9_000)]
    slow = [draw.uniform(0.05, 0.06) for _ in range(1_000)]
    merged = Histogram.merged([of(fast), of(slow)])
    assert merged.percentile(0.99) == pytest.approx(percentile(fast + slow, 0.99), rel=0.02)
    assert merged.percentile(0.5) == pytest.approx(percentile(fast + slow, 0.5), rel=0.05)
    assert merged.above(0.01) == pytest.approx(1_000)
    assert merged.above(0.055) == pytest.approx(500, rel=0.1)


def test_there_are_no_percentiles_of_nothing() -> None:
    with pytest.raises(ValueError, match="want a histogram with counts"):
        Histogram({}).percentile(0.5)


def test_fortios_result_is_read_and_skipped_turns_are_counted() -> None:
    histogram = {"Count": 98, "Data": [{"Start": 0.001, "End": 0.002, "Count": 98}]}
    exported = {
        "DurationHistogram": histogram,
        "ErrorsDurationHistogram": {"Count": 3},
        "ActualDuration": 2_000_000_000,
    }
    read = result(exported, planned=100)
    assert (read.requests, read.errors, read.skipped, read.rate) == (98, 3, 2, 49.0)
    assert result(exported, planned=None).skipped == 0

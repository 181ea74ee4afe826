"""When a client last accepted each resource, in memory that follows what it holds, not what was ever sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from xds.ack_times import AckTimes

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.sets(st.integers(0, 20)), max_size=200))
def test_the_last_acceptance_of_each_name_counts(batches: list[set[int]]) -> None:
    times = AckTimes()
    expected: dict[str, datetime] = {}
    for number, batch in enumerate(batches):
        at = START + timedelta(seconds=number)
        times.note([str(name) for name in batch], at)
        expected |= {str(name): at for name in batch}
    assert times.times() == expected


def test_memory_does_not_grow_with_the_number_of_changes() -> None:
    times = AckTimes()
    for number in range(10_000):
        times.note([str(number % 10)], START + timedelta(seconds=number))
    assert len(times.times()) == 10
    assert times._size < 200

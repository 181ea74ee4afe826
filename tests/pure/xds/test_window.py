"""The latest values in bounded memory, and what their readers see."""

from __future__ import annotations

import asyncio

import pytest

from xds.window import Reader, Window


async def take(reader: Reader[int], count: int) -> list[int]:
    return [await asyncio.wait_for(anext(reader), 10) for _ in range(count)]


def test_the_oldest_values_make_room_for_the_newest() -> None:
    window: Window[int] = Window(3)
    for value in range(5):
        window.add(value)
    assert window.values == (2, 3, 4)
    assert (window.added, window.left, window.missed) == (5, 2, 0)


def test_the_bound_is_on_weight_not_on_number() -> None:
    window: Window[str] = Window(10, weigh=len)
    for value in ("aaaa", "bbbb", "cc", "ddd"):
        window.add(value)
    assert window.values == ("bbbb", "cc", "ddd")
    assert window.weight == 9


def test_a_value_heavier_than_the_bound_does_not_cost_the_others() -> None:
    window: Window[str] = Window(4, weigh=len)
    window.add("aa")
    window.add("bbbbb")
    assert window.values == ("aa",)
    assert (window.added, window.oversized) == (1, 1)


async def test_a_reader_gets_each_value_once_and_waits_for_the_next() -> None:
    window: Window[int] = Window(10)
    window.add(0)
    reader, everything = window.follow(), window.follow(from_oldest=True)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    window.add(1)
    assert await asyncio.wait_for(waiting, 10) == 1
    assert await take(everything, 2) == [0, 1]


async def test_a_slow_reader_misses_the_oldest_and_is_told_how_many() -> None:
    window: Window[int] = Window(3)
    slow, quick = window.follow(), window.follow()
    for value in range(100):
        window.add(value)
        assert await take(quick, 1) == [value]
    assert await take(slow, 3) == [97, 98, 99]
    assert (slow.missed, quick.missed, window.missed) == (97, 0, 97)


async def test_all_readers_that_wait_are_woken_and_one_that_gives_up_harms_nobody() -> None:
    window: Window[int] = Window(3)
    waiting = [asyncio.ensure_future(anext(window.follow())) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    window.add(7)
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [7, 7]


def test_a_window_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0, want 1 or more"):
        Window(0)

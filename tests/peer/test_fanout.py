"""The fan-out benchmark itself, at its smallest, through real processes: so that it cannot rot unnoticed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from benchmarks.fanout import peer, scenarios
from benchmarks.fanout.processes import our_server
from benchmarks.fanout.scenarios import QUICK

TINY = replace(QUICK, streams=4, clusters=3, rounds=1, changes=2, storm=200, storm_streams=3, workers_streams=8)


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
async def test_a_change_is_pushed_and_measured(delta: bool) -> None:
    async with AsyncExitStack() as parts:
        side = await scenarios.start(parts, our_server("--clusters=3"), TINY, delta=delta)
        await scenarios.fan_out({"ours": side}, TINY)
    [wall], [cpu], [rss], [octets] = side.wall_ms, side.cpu_us, side.rss_mb, side.octets
    assert 0 < wall < 60_000
    assert 0 < cpu < 1e6
    assert 30 < rss < 500
    assert 100 < octets < 1_000  # of one resource, or of its type's three


async def test_an_unchanged_proxy_that_comes_back_after_a_restart_is_sent_nothing() -> None:
    resumed = await scenarios.resume(lambda port: our_server("--clusters=3", f"--port={port}"), TINY)
    assert (resumed.resources, resumed.octets) == (0, 0)


async def test_a_stuck_proxy_is_sent_what_was_in_flight_and_the_newest() -> None:
    made = await scenarios.storm(our_server("--clusters=3"), TINY)
    assert made.caught_up <= 2
    assert made.late == 0


async def test_two_processes_share_a_port_and_all_proxies_are_told() -> None:
    shared = await scenarios.share(our_server("--clusters=3", "--share-port"), TINY, workers=2)
    assert shared.wall_ms > 0


async def test_the_peer_serves_the_same_content() -> None:
    built = await peer.build()
    if isinstance(built, str):
        pytest.skip(f"{peer.name()} is missing: {built}")
    contents = []
    for command in (our_server("--clusters=3"), [str(built), "--clusters=3"]):
        async with AsyncExitStack() as parts:
            side = await scenarios.start(parts, command, TINY, delta=True)
            contents.append(await side.load.ask("content"))
    assert contents[0] == contents[1]
    assert contents[0]["resources"] == 8

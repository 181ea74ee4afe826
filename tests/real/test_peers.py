"""The benchmark beside other control planes, at its smallest: so that it cannot rot unnoticed.

A peer is run where its programs are built already, by `python -m benchmarks peers`; that takes Go and minutes, so nothing
builds them for a test, and APG_REQUIRE_PARTS does not ask for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.peers import builds
from benchmarks.peers.backend import running_backend
from benchmarks.peers.builds import MissingError
from benchmarks.peers.driven import Driven
from benchmarks.peers.ours import Ours
from benchmarks.peers.run import PEERS, run
from benchmarks.peers.side import Certificates
from tests.certificates import Authority


@pytest.fixture(params=["plain", "tls"])
async def ours(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driven]:
    certificates = None
    if request.param == "tls":
        authority = Authority(tmp_path)
        server, client = authority.issue("server"), authority.issue("client")
        certificates = Certificates(authority.certificate, *client, *server)
    async with AsyncExitStack() as parts:
        backend = await parts.enter_async_context(running_backend())
        side = await parts.enter_async_context(Ours.running(tmp_path, backend=backend, certificates=certificates))
        yield await parts.enter_async_context(Driven.running(side, tmp_path))


async def test_a_change_is_seen_by_a_client_and_by_simulated_proxies(ours: Driven) -> None:
    await ours.grow(20)
    assert 0 < await ours.change() < 60_000
    made = await ours.at_a_pace(5, per_second=50.0)
    assert made.count == 5
    assert made.updates == 5
    assert made.cpu_s[0] > 0
    async with ours.fleet(3) as fleet:
        await fleet.change()
    [octets], [milliseconds] = fleet.octets, fleet.push_ms
    assert 100 < octets < 100_000
    assert 0 < milliseconds < 60_000


@pytest.mark.timeout(600)  # two starts of an API server and istiod; half a minute on a machine with nothing else to do
@pytest.mark.parametrize("name", PEERS)
async def test_a_peer_is_measured_beside_ours(name: str) -> None:
    absent = [part.name for part in PEERS[name].parts if not part.exists]
    if absent:
        pytest.skip(
            f"{', '.join(absent)} not built: `python -m benchmarks peers --set peers={name}` builds it, with Go"
        )
    if name.startswith("istiod"):
        try:
            builds.etcd()
        except MissingError as error:
            pytest.skip(str(error))
    report = await run(console=Console(quiet=True), quick=True, peers=name)
    assert report.notes == []
    answers = [row for row in report.rows if ", p50, " in row.figure]
    assert [row.figure.rpartition(", ")[2] for row in answers] == ["1 route", "20 routes"]
    for row in answers:
        assert len(row.samples) == len(row.peer_samples) == 3
        assert min(*row.samples, *row.peer_samples) > 0
    assert len({row.figure for row in report.rows}) == len(report.rows)

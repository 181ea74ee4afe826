"""The data plane benchmark itself, at its smallest: real proxies, a real control plane process, Fortio's requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.dataplane.run import run
from benchmarks.fortio import HOW, Fortio
from benchmarks.report import Curve, Row
from tests.envoys import envoy_binary
from tests.parts import missing


@pytest.mark.xdist_group("dataplane_benchmark")
async def test_each_way_is_measured_and_every_request_answered(tmp_path: Path) -> None:
    envoy_binary()
    if isinstance(await Fortio.found(), str):
        missing("Fortio", HOW)
    report = await run(console=Console(quiet=True), quick=True, protocols="http1", ways="direct,static,gateway")
    report.write(tmp_path / "dataplane.json")
    written = json.loads((tmp_path / "dataplane.json").read_text())
    rows = {row["figure"]: Row.from_json(row) for row in written["rows"]}

    assert rows["requests without a right answer"].ours == 0
    for load in ("1,000 a second", "saturation"):
        for way in ("direct", "static Envoy", "our gateway"):
            of_way = f"HTTP/1.1, {load}, {way}"
            tail = [rows[f"{of_way}: {label}"].ours for label in ("p50", "p90", "p99", "p99.9")]
            assert tail[0] > 0
            assert tail == sorted(tail)
        assert 1 < rows[f"HTTP/1.1, {load}, our gateway: CPU a request"].ours < 100_000
    assert 10 < rows["HTTP/1.1, saturation, our gateway: RSS"].ours < 500
    rate = rows["HTTP/1.1, saturation, our gateway: requests a second"]
    assert (rate.peer, rate.better) == ("static Envoy", "more")
    assert rate.ours > 10
    assert "HTTP/1.1, 1,000 a second: our gateway adds to p50" in rows
    assert {curve.series for curve in map(Curve.from_json, written["curves"])} == {
        "direct",
        "static Envoy",
        "our gateway",
    }
    assert sum("limit" in note for note in written["notes"]) == 3
    assert "fortio" in written["versions"]

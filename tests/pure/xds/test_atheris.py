"""A few seconds of coverage-guided fuzzing. `python -m tests.fuzz_requests` goes on for as long as one likes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from xds.resource_types import CLUSTER, VIRTUAL_HOST


def test_coverage_guided_requests_break_nothing(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:  # it has no wheel for some Pythons, so CI cannot insist on it
        pytest.skip("atheris is missing: pip install atheris (Linux)")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for number, type in enumerate((CLUSTER, VIRTUAL_HOST)):
        url = type.type_url
        requests = (
            DiscoveryRequest(type_url=url, resource_names=["a", "*"], response_nonce="1", version_info="x"),
            DeltaDiscoveryRequest(type_url=url, resource_names_subscribe=["a"], initial_resource_versions={"a": "x"}),
        )
        for variant, request in enumerate(requests):
            (seeds / f"{number}-{variant}").write_bytes(request.SerializeToString())
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz_requests", "-runs=20000", "-max_total_time=4", str(seeds)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DONE" in done.stderr or "Done" in done.stderr

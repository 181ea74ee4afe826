"""docs/xds.md is true: its example serves, its tables are those of the code."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tests.strict_client import Way, connected
from xds import RESOURCE_TYPES, bounds
from xds.machine import HOLD_SECONDS
from xds.resource_types import CLUSTER
from xds.stream import FIRST_REQUEST_SECONDS

PAGE = (Path(__file__).parents[2] / "docs" / "xds.md").read_text()


async def test_the_example_serves_a_hand_written_snapshot_in_under_20_lines() -> None:
    example = PAGE.split("```python\n")[1].split("```")[0]
    assert len([line for line in example.splitlines() if line.strip()]) < 20
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", example, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        async with connected(port, Way.DELTA_ADS, node="edge-1") as client:
            await client.subscribe(CLUSTER)
            assert (await client.take(CLUSTER)).names == {"payment"}
    finally:
        process.kill()
        await process.communicate()


def test_the_table_of_types_is_the_code_s() -> None:
    rows = re.findall(r"^\| (\w+) \| `([\w.]+)` \| (\d) \| `([\w.]+)`", PAGE, re.MULTILINE)
    assert rows == [(t.short, t.type_url.rpartition("/")[2], str(t.order), t.service) for t in RESOURCE_TYPES]


def test_the_bounds_are_the_code_s() -> None:
    for bound in (
        f"above {bounds.MAX_REQUEST_BYTES >> 20} MiB",
        f"more than {bounds.MAX_NAMES:,} names of a type, or {bounds.MAX_NAMES_OF_STREAM:,} on a stream",
        f"above {bounds.MAX_NAME_LENGTH:,} characters",
        f"more than {bounds.MAX_TYPES} types",
        f"after {FIRST_REQUEST_SECONDS:g} s",
        f"**{HOLD_SECONDS:g} seconds**",
    ):
        assert bound in PAGE, bound

"""A server over loopback that serves what the test puts into its cache, and strict clients in all four variants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.strict_client import StrictClient, Way, connected
from tests.xds_mesh import NODE, Mesh


@pytest.fixture(params=Way, ids=lambda way: way.value)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


@pytest.fixture
async def mesh() -> AsyncIterator[Mesh]:
    async with Mesh.started() as made:
        yield made


@pytest.fixture
async def client(mesh: Mesh, way: Way) -> AsyncIterator[StrictClient]:
    async with connected(mesh.port, way, node=NODE) as made:
        yield made

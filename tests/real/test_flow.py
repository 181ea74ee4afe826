"""Streams that end of age, with a real Envoy at the other end: it moves on to a new connection and misses nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from controlplane.bootstrap import Variant
from tests.conditions import eventually
from tests.envoys import Traffic, running_envoy
from tests.meshes import config, documents, gateway, payment_backends, route, running_mesh
from tests.ports import reserve_port
from xds.fleet import Connected, FleetEvent


@pytest.mark.parametrize("variant", Variant)
async def test_an_envoy_is_sent_elsewhere_again_and_again_and_nobody_notices(variant: Variant, tmp_path: Path) -> None:
    connected: list[str] = []

    def note(event: FleetEvent) -> None:
        if isinstance(event, Connected):
            connected.append(event.client.peer)

    async with running_mesh(config(tmp_path, xds_max_age=1.0)) as mesh, payment_backends() as (one, two):
        mesh.control_plane.fleet.listen(note)
        with reserve_port() as port:
            await mesh.add_service("payment", one, two)
            await mesh.apply(documents(gateway(port), route("payment=1")))
            log = tmp_path / "envoy.log"
            async with (
                running_envoy(mesh.xds_port, "default/edge", variant=variant, log_path=log),
                Traffic(f"http://127.0.0.1:{port}/", rate=50) as traffic,
            ):
                for number in (2, 3):
                    await eventually(lambda: len(set(connected)) >= number, deadline=timedelta(seconds=20))  # noqa: B023
                    # A change arrives on whichever stream there is.
                    await mesh.apply(route("payment=1", path=f"/version/{number}"))
                    await mesh.in_sync()
                await mesh.apply(route("payment=1"))
                await mesh.in_sync()
                totals = await traffic.stop()
    assert [line for line in log.read_text().splitlines() if "][error]" in line or "][critical]" in line] == []
    assert totals.statuses[200] > 0
    assert totals.errors == {}
    assert set(totals.statuses) <= {200, 404}  # 404 while the route led elsewhere

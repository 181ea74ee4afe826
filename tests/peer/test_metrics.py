"""The control plane's own metrics, scraped over HTTP and read by Prometheus's own parser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.errors import ConfigError
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node
from tests.conditions import eventually
from tests.meshes import Mesh, config, documents, gateway, route, running_mesh
from xds.resource_types import CLUSTER
from xds.server import ADS

DEADLINE = 30
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


async def scrape(mesh: Mesh, **headers: str) -> tuple[int, str]:
    url = f"http://{mesh.control_plane.addresses.metrics}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def samples(mesh: Mesh) -> Mapping[str, float]:
    """By name and labels, as Prometheus writes them."""
    _, text = await scrape(mesh)
    return {
        sample.name + "".join(f",{key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Peer:
    """A delta client of clusters, by hand."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def ask(self) -> None:
        await self._write(node=Node(id="edge-1", cluster="default/edge"))

    async def read(self) -> DeltaDiscoveryResponse:
        return DeltaDiscoveryResponse.FromString(await asyncio.wait_for(self.call.read(), DEADLINE))

    async def answer(self, response: DeltaDiscoveryResponse, *, error: str = "") -> None:
        await self._write(response_nonce=response.nonce, **({"error_detail": {"message": error}} if error else {}))

    async def _write(self, **fields: Any) -> None:
        await self.call.write(DeltaDiscoveryRequest(type_url=CLUSTER.type_url, **fields).SerializeToString())


async def test_what_happens_on_a_stream_is_counted(tmp_path: Path) -> None:
    async with (
        running_mesh(config(tmp_path, metrics_address="127.0.0.1:0")) as mesh,
        grpc.aio.insecure_channel(mesh.control_plane.addresses.xds) as channel,
    ):
        await mesh.add_service("pay")
        await mesh.apply(documents(gateway(18080), route("pay")))
        method: Any = channel.stream_stream(f"/{ADS}/DeltaAggregatedResources")
        peer = Peer(method())
        await peer.ask()
        response = await peer.read()
        labels = ",type=CDS,variant=delta"
        before = await samples(mesh)
        assert before[f"apg_xds_pushes_total{labels}"] == 1
        assert before[f"apg_xds_pushed_resources_total{labels}"] == len(response.resources) == 1
        assert before[f"apg_xds_pushed_bytes_total{labels}"] == len(response.SerializeToString())
        assert before["apg_xds_streams,variant=delta"] == 1
        assert before["apg_xds_streams_out_of_sync"] == 1
        assert before[f"apg_xds_subscriptions{labels}"] == 1
        assert before[f"apg_xds_unanswered_seconds_max{labels}"] > 0
        assert before["apg_xds_resources,type=CDS"] == 1
        assert before["apg_revision"] == before["apg_revision_published"] == 2
        assert before["apg_xds_encoded_resources_total"] > 0
        assert before["apg_xds_encoding_seconds_total"] > 0
        assert before["apg_xds_deciding_seconds_total,variant=delta"] > 0

        assert (await mesh.fleet()).proxies[0].types[0].unanswered_seconds > 0
        await peer.answer(response)
        await eventually(lambda: all(status.in_sync for status in mesh.control_plane.fleet.status()))
        assert (await mesh.fleet()).proxies[0].types[0].unanswered_seconds == 0
        after = await samples(mesh)
        assert after[f"apg_xds_acks_total{labels}"] == 1
        assert after["apg_xds_answer_seconds_count,type=CDS"] == 1
        assert after["apg_xds_answer_seconds_bucket,le=30.0,type=CDS"] == 1
        assert 0 < after["apg_xds_answer_seconds_sum,type=CDS"] < DEADLINE
        assert after["apg_xds_streams_out_of_sync"] == after[f"apg_xds_unanswered_seconds_max{labels}"] == 0

        await mesh.add_service("cart")
        await mesh.apply(route("cart", name="cart", path="/cart"))
        await peer.answer(await peer.read(), error="not like this")
        await eventually(lambda: mesh.control_plane.fleet.status()[0].types[0].nacked)
        refused = await samples(mesh)
        assert refused[f"apg_xds_nacks_total{labels}"] == 1
        assert refused[f"apg_xds_refusing{labels}"] == 1


async def test_the_page_lists_every_metric_and_no_other(tmp_path: Path) -> None:
    listed = dict(re.findall(r"^\| `(apg_\w+)` \| (\w+) \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    async with running_mesh(config(tmp_path, metrics_address="127.0.0.1:0")) as mesh:
        _, text = await scrape(mesh)
    served = {
        line.split()[2]: line.split()[3]
        for line in text.splitlines()
        if line.startswith("# TYPE apg_") and not line.split()[2].endswith("_created")
    }
    assert listed == served


async def test_whoever_does_not_know_the_token_is_told_nothing(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length")
    token.chmod(0o600)
    async with running_mesh(config(tmp_path, metrics_address="127.0.0.1:0", metrics_token_file=token)) as mesh:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            status, text = await scrape(mesh, **headers)
            assert (status, "apg_" in text) == (401, False)
        status, text = await scrape(mesh, authorization="Bearer a-token-of-some-length")
        assert (status, "apg_xds_groups" in text) == (200, True)


async def test_without_an_address_there_are_none(tmp_path: Path) -> None:
    async with running_mesh(config(tmp_path)) as mesh:
        assert mesh.control_plane.addresses.metrics is None


def test_metrics_leave_loopback_with_a_token_only(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"metrics_address: got 0\.0\.0\.0:9000, which others can reach; want metrics_token"
    ):
        config(tmp_path, metrics_address="0.0.0.0:9000")


async def test_the_fleet_can_be_watched(tmp_path: Path) -> None:
    async with (
        running_mesh(config(tmp_path)) as mesh,
        grpc.aio.insecure_channel(mesh.control_plane.addresses.xds) as channel,
    ):
        await mesh.add_service("pay")
        await mesh.apply(documents(gateway(18080), route("pay")))
        states = mesh.control_plane.fleet.watch(pause=timedelta(milliseconds=1))
        empty = await anext(states)
        assert empty.clients == ()
        method: Any = channel.stream_stream(f"/{ADS}/DeltaAggregatedResources")
        peer = Peer(method())
        await peer.ask()
        response = await peer.read()
        async with asyncio.timeout(DEADLINE):
            async for state in states:
                assert state.number > empty.number
                if state.clients and state.clients[0].types and state.clients[0].types[0].in_flight_since:
                    break
            [client] = state.clients
            assert client.types[0].sent == response.system_version_info
            await peer.answer(response)
            async for state in states:
                if state.clients[0].in_sync:
                    break
            peer.call.cancel()
            async for state in states:
                if not state.clients:
                    break
        waiting = asyncio.ensure_future(anext(states))
        await asyncio.sleep(0.02)
        assert not waiting.done()  # nothing changes, so there is nothing to see
        waiting.cancel()

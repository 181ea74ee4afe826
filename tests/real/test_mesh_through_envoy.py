"""The promises that count, through a real Envoy: a change, a refusal and a restart without a failed request."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.bootstrap import Variant
from controlplane.demo.backends import RunningBackend, start_backend
from controlplane.ports import free_port
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.conditions import eventually
from tests.envoys import Traffic, config_dump, listener_addresses, running_envoy
from tests.meshes import DEADLINE, config, documents, gateway, payment_backends, route, running_mesh
from tests.ports import reserve_port

BOTH = pytest.mark.parametrize("variant", list(Variant), ids=lambda variant: variant.name.lower())


@pytest.fixture
async def backends() -> AsyncIterator[tuple[RunningBackend, RunningBackend]]:
    async with payment_backends() as made:
        yield made


@BOTH
async def test_a_change_of_route_reaches_requests_and_none_fails(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend], variant: Variant
) -> None:
    with reserve_port() as port:
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment", *backends)
            await mesh.apply(documents(gateway(port), route("payment-v1")))
            log = tmp_path / "envoy.log"
            async with running_envoy(mesh.xds_port, "default/edge", log_path=log, variant=variant):
                await mesh.in_sync()
                async with Traffic(f"http://127.0.0.1:{port}/") as traffic:
                    await eventually(lambda: traffic.totals.served_by["payment v1"] > 20)
                    await mesh.apply(route("payment-v2"))
                    await eventually(lambda: traffic.totals.served_by["payment v2"] > 20)
                    await mesh.in_sync()
                    totals = await traffic.stop()
                assert totals.failed == 0, totals


@BOTH
async def test_routes_go_over_to_a_new_service_while_the_old_one_is_removed_and_none_fails(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend], variant: Variant
) -> None:
    """The new cluster comes in, the route moves, the old cluster goes: twenty times, under traffic."""
    with reserve_port() as port:
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("blue", backends[0])
            await mesh.add_service("green", backends[1])
            await mesh.apply(documents(gateway(port), route("blue")))
            log = tmp_path / "envoy.log"
            async with running_envoy(mesh.xds_port, "default/edge", log_path=log, variant=variant) as envoy:
                await mesh.in_sync()
                async with Traffic(f"http://127.0.0.1:{port}/") as traffic:
                    for number in range(20):
                        await mesh.apply(route("green" if number % 2 == 0 else "blue"))
                        if number % 5 == 0:
                            await mesh.in_sync()
                    await mesh.in_sync()
                    totals = await traffic.stop()
                assert totals.failed == 0, totals
                dump = await config_dump(envoy)
                clusters = {c["cluster"]["name"] for c in dump["ClustersConfigDump"]["dynamic_active_clusters"]}
                assert clusters == {"default/blue"}


@BOTH
async def test_what_envoy_refuses_is_told_in_its_words_and_traffic_goes_on(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend], variant: Variant
) -> None:
    """The second listener's port is taken: Envoy refuses that one, and serves the first as before."""
    with reserve_port() as port, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken_port = taken.getsockname()[1]
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment", *backends)
            await mesh.apply(documents(gateway(port), route("payment-v1")))
            log = tmp_path / "envoy.log"
            async with running_envoy(mesh.xds_port, "default/edge", log_path=log, variant=variant) as envoy:
                await mesh.in_sync()
                async with Traffic(f"http://127.0.0.1:{port}/") as traffic:
                    two = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners:
    - {{name: http, protocol: HTTP, port: {port}}}
    - {{name: second, protocol: HTTP, port: {taken_port}}}
"""
                    await mesh.apply(two)

                    async def refused() -> pb.TypeStatus | None:
                        [proxy] = (await mesh.fleet()).proxies
                        return next((item for item in proxy.types if item.nack_version), None)

                    status = await eventually(refused)
                    assert status.type_url.endswith("Listener")
                    assert list(status.nack_resources) == [f"default/edge/{taken_port}"]
                    assert list(status.nack_documents) == ["Gateway default/edge"]
                    assert str(taken_port) in status.nack_reason

                    await mesh.apply(route("payment-v2"))  # the others move on
                    await eventually(lambda: traffic.totals.served_by["payment v2"] > 20)

                    await mesh.apply(gateway(port))  # and the repair is accepted
                    await mesh.in_sync()
                    totals = await traffic.stop()
                assert totals.failed == 0, totals
                assert list(await listener_addresses(envoy)) == [f"default/edge/{port}"]


@BOTH
async def test_a_restart_of_the_control_plane_fails_no_request_and_changes_arrive_after_it(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend], variant: Variant
) -> None:
    async with contextlib.AsyncExitStack() as outer:
        port, xds_port = outer.enter_context(reserve_port()), free_port()
        settings = config(tmp_path, xds_address=f"127.0.0.1:{xds_port}")
        async with running_mesh(settings) as mesh:
            await mesh.add_service("payment", *backends)
            await mesh.apply(documents(gateway(port), route("payment-v1")))
            envoy = running_envoy(xds_port, "default/edge", log_path=tmp_path / "envoy.log", variant=variant)
            await outer.enter_async_context(envoy)
            await mesh.in_sync()
            traffic = await outer.enter_async_context(Traffic(f"http://127.0.0.1:{port}/"))
            await eventually(lambda: traffic.totals.served_by["payment v1"] > 20)
        served = traffic.totals.requests
        await eventually(lambda: traffic.totals.requests > served + 50)  # nobody steers, and Envoy serves on
        async with running_mesh(settings) as mesh:
            await mesh.in_sync()
            await mesh.apply(route("payment-v2"))
            await eventually(lambda: traffic.totals.served_by["payment v2"] > 20)
            totals = await traffic.stop()
        assert totals.failed == 0, totals


@BOTH
async def test_the_last_endpoint_of_a_version_may_go_and_the_others_are_served(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend], variant: Variant
) -> None:
    with reserve_port() as port:
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment", *backends)
            await mesh.apply(documents(gateway(port), route("payment-v1=1", "payment-v2=0")))
            log = tmp_path / "envoy.log"
            async with running_envoy(mesh.xds_port, "default/edge", log_path=log, variant=variant):
                await mesh.in_sync()
                async with Traffic(f"http://127.0.0.1:{port}/") as traffic:
                    request = pb.DeregisterEndpointRequest(
                        service="payment", address="127.0.0.1", port=backends[1].port
                    )
                    await mesh.api.DeregisterEndpoint(request, timeout=DEADLINE)
                    await mesh.in_sync()
                    replacement = await start_backend("payment", "v2")
                    try:
                        await mesh.add_endpoint("payment", replacement.port, "v2")
                        await mesh.apply(route("payment-v2"))
                        await eventually(lambda: traffic.totals.served_by["payment v2"] > 20)
                        totals = await traffic.stop()
                    finally:
                        await replacement.stop()
                assert totals.failed == 0, totals


async def test_a_sentence_changes_what_requests_meet(
    tmp_path: Path, backends: tuple[RunningBackend, RunningBackend]
) -> None:
    with reserve_port() as port:
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment", *backends)
            await mesh.apply(documents(gateway(port), route("payment-v1")))
            async with running_envoy(mesh.xds_port, "default/edge", log_path=tmp_path / "envoy.log"):
                await mesh.in_sync()
                sentence = pb.ProposeRequest(sentence="send all payments traffic to version 2")
                proposal = await mesh.api.Propose(sentence, timeout=DEADLINE)
                async with Traffic(f"http://127.0.0.1:{port}/") as traffic:
                    await eventually(lambda: traffic.totals.requests > 20)
                    assert traffic.totals.served_by["payment v2"] == 0, "a proposal changed something"
                    await mesh.api.Confirm(pb.ConfirmRequest(proposal_id=proposal.proposal_id), timeout=DEADLINE)
                    await eventually(lambda: traffic.totals.served_by["payment v2"] > 20)
                    totals = await traffic.stop()
                assert totals.failed == 0, totals

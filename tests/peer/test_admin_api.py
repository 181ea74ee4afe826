"""The admin API over loopback, as its clients meet it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from tests.certificates import certificate
from tests.conditions import eventually
from tests.meshes import DEADLINE, Mesh, config, documents, gateway, route, running_mesh
from xds.client_status import CSDS
from xds.resource_types import CLUSTER
from xds.server import ADS


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with running_mesh(config(tmp_path)) as made:
        yield made


async def registered(mesh: Mesh) -> None:
    """payment with versions v1 and v2, whose endpoints nobody listens on."""
    await mesh.add_service("payment")
    await mesh.add_endpoint("payment", 9001, "v1")
    await mesh.add_endpoint("payment", 9002, "v2")


def violations(error: grpc.aio.AioRpcError) -> list[tuple[str, str]]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has what is read of a Call
    assert status is not None
    refusal = error_details_pb2.BadRequest()
    [detail] = status.details
    assert detail.Unpack(refusal)
    return [(violation.field, violation.description) for violation in refusal.field_violations]


async def test_a_generic_client_that_knows_only_reflection_can_change_the_mesh(mesh: Mesh) -> None:
    """As grpcurl does: no generated code, names and JSON only."""
    address = mesh.control_plane.addresses.admin

    service = "apg.admin.v1.AdminService"
    request = {"service": {"name": "pay"}}
    answer = await asyncio.to_thread(reflected, address, service, "RegisterService", request)
    assert answer == {"revision": "1", "changed": True}
    listed = await asyncio.to_thread(reflected, address, service, "List", {"kind": "Service"})
    assert listed["services"][0]["service"]["name"] == "pay"


async def test_a_generic_client_that_knows_only_reflection_can_ask_what_each_proxy_has(mesh: Mesh) -> None:
    request = {"nodeMatchers": [{"nodeId": {"exact": "edge-1"}}]}
    answer = await asyncio.to_thread(reflected, mesh.control_plane.addresses.admin, CSDS, "FetchClientStatus", request)
    assert answer == {}  # nobody is connected
    async with open_stream(mesh.xds_port, node_id="edge-1") as node:
        await eventually(lambda: any(status.types for status in mesh.control_plane.fleet.status()))
        answer = await asyncio.to_thread(
            reflected, mesh.control_plane.addresses.admin, CSDS, "FetchClientStatus", request
        )
    [config] = answer["config"]
    assert config["node"]["id"] == node
    [found] = config["genericXdsConfigs"]
    assert (found["name"], found["configStatus"], found["clientStatus"]) == ("asked-for", "NOT_SENT", "REQUESTED")


@asynccontextmanager
async def open_stream(port: int, *, node_id: str) -> AsyncIterator[str]:
    """A client that asks for one cluster by name."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.stream_stream(f"/{ADS}/DeltaAggregatedResources")
        call = method()
        request = DeltaDiscoveryRequest(node={"id": node_id}, type_url=CLUSTER.type_url)  # type: ignore[arg-type]
        request.resource_names_subscribe.append("asked-for")
        await call.write(request.SerializeToString())
        yield node_id
        call.cancel()


def reflected(address: str, service: str, method: str, request: dict[str, Any]) -> dict[str, Any]:
    """A call by reflection alone."""
    with grpc.insecure_channel(address) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        descriptor = pool.FindServiceByName(service).FindMethodByName(method)
        request_class = message_factory.GetMessageClass(descriptor.input_type)
        response_class = message_factory.GetMessageClass(descriptor.output_type)
        invoke = channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=response_class.FromString,
        )
        response = invoke(json_format.ParseDict(request, request_class()), timeout=DEADLINE)
        answer: dict[str, Any] = json_format.MessageToDict(response)
        return answer


async def test_reflection_lists_the_services(mesh: Mesh) -> None:
    def names() -> list[str]:
        with grpc.insecure_channel(mesh.control_plane.addresses.admin) as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert {"apg.admin.v1.AdminService", "grpc.health.v1.Health", CSDS} <= set(await asyncio.to_thread(names))


async def test_health_says_serving(mesh: Mesh) -> None:
    async with grpc.aio.insecure_channel(mesh.control_plane.addresses.admin) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "apg.admin.v1.AdminService"):
            response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
            assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_registering_again_what_is_registered_is_no_change(mesh: Mesh) -> None:
    request = pb.RegisterServiceRequest(service=pb.Service(name="payment"))
    first = await mesh.api.RegisterService(request, timeout=DEADLINE)
    again = await mesh.api.RegisterService(request, timeout=DEADLINE)
    assert (first.revision, first.changed, again.revision, again.changed) == (1, True, 1, False)


async def test_a_plan_shows_documents_and_resources_and_changes_nothing(mesh: Mesh) -> None:
    await registered(mesh)
    text = documents(gateway(18080), route("payment-v1=3", "payment-v2=1"))
    response = await mesh.api.Plan(pb.PlanRequest(documents=text.encode()), timeout=DEADLINE)
    assert [(diff.operation, diff.key.kind) for diff in response.plan.documents] == [
        (pb.OPERATION_ADD, "Gateway"),
        (pb.OPERATION_ADD, "HTTPRoute"),
    ]
    resources = {(diff.type_url.rpartition(".")[2], diff.name) for diff in response.plan.resources}
    assert resources == {
        ("Cluster", "default/payment-v1"),
        ("Cluster", "default/payment-v2"),
        ("ClusterLoadAssignment", "default/payment-v1"),
        ("ClusterLoadAssignment", "default/payment-v2"),
        ("Listener", "default/edge/18080"),
        ("RouteConfiguration", "default/edge/18080"),
    }
    listed = await mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    assert (len(listed.documents), listed.revision) == (0, 3)


async def test_what_was_applied_names_the_resources_that_a_plan_shows(mesh: Mesh) -> None:
    await registered(mesh)
    text = documents(gateway(18080), route("payment-v1=3", "payment-v2=1"))
    planned = (await mesh.api.Plan(pb.PlanRequest(documents=text.encode()), timeout=DEADLINE)).plan
    applied = (await mesh.apply(text)).plan
    assert list(applied.documents) == list(planned.documents)
    names = [(diff.operation, diff.group, diff.type_url, diff.name) for diff in planned.resources]
    assert [(diff.operation, diff.group, diff.type_url, diff.name) for diff in applied.resources] == names
    assert all(diff.after_yaml for diff in planned.resources)
    assert not any(diff.before_yaml or diff.after_yaml for diff in applied.resources)


async def test_a_file_applies_as_a_whole_or_not_at_all(mesh: Mesh) -> None:
    await registered(mesh)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.apply(documents(gateway(18080), route("payment"), route("nothing", name="other")))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    [(field, description)] = violations(caught.value)
    assert field == "HTTPRoute default/other: spec.rules[0].backendRefs[0].name"
    assert description.startswith("got nothing, which does not exist, want a service of default")
    listed = await mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    assert list(listed.documents) == []


async def test_all_problems_of_a_file_come_at_once(mesh: Mesh) -> None:
    bad = documents(gateway(99999), route("payment=-1"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.apply(bad)
    assert [field for field, _ in violations(caught.value)] == [
        "Gateway default/edge: spec.listeners[0].port",
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0].weight",
    ]


async def test_a_plan_of_an_older_mesh_is_refused(mesh: Mesh) -> None:
    await registered(mesh)
    request = pb.ApplyRequest(documents=gateway(18080).encode(), expected_revision=1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.api.Apply(request, timeout=DEADLINE)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert "revision 3, not at 1" in (caught.value.details() or "")


async def test_a_proposal_is_confirmed_once_and_only_while_its_documents_stand(mesh: Mesh) -> None:
    await registered(mesh)
    await mesh.apply(documents(gateway(18080), route("payment-v1")))
    sentence = pb.ProposeRequest(sentence="route 20% of payment traffic to v2")
    stale = await mesh.api.Propose(sentence, timeout=DEADLINE)
    fresh = await mesh.api.Propose(sentence, timeout=DEADLINE)
    assert (fresh.parser, fresh.plan.documents[0].key.name) == ("embedded", "payment")

    await mesh.api.Confirm(pb.ConfirmRequest(proposal_id=fresh.proposal_id), timeout=DEADLINE)
    got = await mesh.api.Get(pb.GetRequest(kind="HTTPRoute", name="payment"), timeout=DEADLINE)
    assert '[{"name":"payment-v1","weight":80},{"name":"payment-v2","weight":20}]' in got.document.json
    for proposal, code in (
        (fresh, grpc.StatusCode.NOT_FOUND),
        (stale, grpc.StatusCode.ABORTED),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await mesh.api.Confirm(pb.ConfirmRequest(proposal_id=proposal.proposal_id), timeout=DEADLINE)
        assert caught.value.code() is code


async def test_a_rollback_gives_back_documents_and_leaves_what_exists(mesh: Mesh) -> None:
    await registered(mesh)
    first = await mesh.apply(documents(gateway(18080), route("payment-v1")))
    await mesh.apply(route("payment-v2"))
    await mesh.add_endpoint("payment", 9003, "v3")
    back = await mesh.api.Rollback(pb.RollbackRequest(revision=first.revision), timeout=DEADLINE)
    assert back.changed
    got = await mesh.api.Get(pb.GetRequest(kind="HTTPRoute", name="payment"), timeout=DEADLINE)
    assert "payment-v1" in got.document.json
    service = await mesh.api.Get(pb.GetRequest(kind="Service", name="payment"), timeout=DEADLINE)
    assert [endpoint.port for endpoint in service.service.endpoints] == [9001, 9002, 9003]
    revisions = await mesh.api.ListRevisions(pb.ListRevisionsRequest(), timeout=DEADLINE)
    assert [revision.number for revision in revisions.revisions] == list(range(back.revision, 0, -1))
    assert revisions.revisions[0].reason == f"roll back to revision {first.revision}"


async def test_a_document_that_others_refer_to_is_not_deleted(mesh: Mesh) -> None:
    await registered(mesh)
    await mesh.apply(documents(gateway(18080), route("payment")))
    key = pb.DocumentKey(kind="gateway", name="edge")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.api.Delete(pb.DeleteRequest(documents=[key]), timeout=DEADLINE)
    assert violations(caught.value)[0][0] == "HTTPRoute default/payment: spec.parentRefs[0]"
    both = [key, pb.DocumentKey(kind="HTTPRoute", name="payment")]
    assert (await mesh.api.Delete(pb.DeleteRequest(documents=both), timeout=DEADLINE)).changed


async def test_a_watcher_sees_revisions_and_their_publication(mesh: Mesh) -> None:
    call: Any = mesh.api.Watch(pb.WatchRequest())
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)  # the request is on its way before anything happens
    seen: list[pb.Event] = []
    await registered(mesh)
    await mesh.apply(documents(gateway(18080), route("payment")))
    seen.append(await asyncio.wait_for(reading, DEADLINE))
    while not (seen[-1].HasField("published") and list(seen[-1].published.groups) == ["default/edge"]):
        seen.append(await asyncio.wait_for(call.read(), DEADLINE))
    call.cancel()
    assert any("add Gateway default/edge" in event.revision.changes for event in seen)


async def test_a_token_is_asked_for_where_one_is_configured_but_not_for_health(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n")
    token.chmod(0o600)
    async with running_mesh(config(tmp_path, admin_token_file=token)) as mesh:
        for metadata in ((), (("authorization", "Bearer wrong-horse-battery"),)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await mesh.api.List(pb.ListRequest(), timeout=DEADLINE, metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        right = (("authorization", "Bearer correct-horse-battery"),)
        await mesh.api.List(pb.ListRequest(), timeout=DEADLINE, metadata=right)
        async with grpc.aio.insecure_channel(mesh.control_plane.addresses.admin) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)


async def test_outside_loopback_the_api_speaks_tls_to_those_who_know_the_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery")
    token.chmod(0o600)
    cert, key = certificate(tmp_path, "localhost")
    settings = config(
        tmp_path, admin_address="0.0.0.0:0", admin_token_file=token, admin_tls_cert=cert, admin_tls_key=key
    )
    async with running_mesh(settings) as mesh:
        port = mesh.control_plane.addresses.admin.rpartition(":")[2]
        trusted = grpc.ssl_channel_credentials(cert.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port}", trusted) as channel:
            stub: Any = AdminServiceStub(channel)
            metadata = (("authorization", "Bearer correct-horse-battery"),)
            response = await stub.List(pb.ListRequest(), timeout=DEADLINE, metadata=metadata)
        assert response.revision == 0

"""Programmed is true only once the proxies have ACKed, and an Envoy's refusal is shown on the document it came from."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.commands import apg_async
from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, gateway, route, running_mesh
from tests.ports import reserve_port


async def programmed(mesh: Mesh, kind: str, name: str) -> dict[str, Any]:
    """The condition, of a route's first parent, or of a Gateway."""
    item = await mesh.api.Get(pb.GetRequest(kind=kind, name=name), timeout=DEADLINE)
    status = json.loads(item.document.status_json)
    conditions = status["parents"][0]["conditions"] if "parents" in status else status["conditions"]
    [condition] = [entry for entry in conditions if entry["type"] == "Programmed"]
    return dict(condition)


async def test_programmed_once_all_proxies_have_it(tmp_path: Path) -> None:
    with reserve_port() as port:
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment")
            await mesh.apply(documents(gateway(port), route("payment")))
            before = await programmed(mesh, "HTTPRoute", "payment")
            assert (before["status"], before["reason"]) == ("False", "Pending")
            assert before["message"] == "no proxy of default/edge is connected"
            async with running_envoy(mesh.xds_port, "default/edge", log_path=tmp_path / "envoy.log"):
                await mesh.in_sync()
                for kind, name in (("HTTPRoute", "payment"), ("Gateway", "edge")):
                    after = await programmed(mesh, kind, name)
                    assert (after["status"], after["reason"]) == ("True", "Programmed")
                    assert after["lastTransitionTime"] >= before["lastTransitionTime"]
                await only_changes_count(mesh, after)
                await shown_and_applied_again(mesh, tmp_path)
            await noticed_though_nobody_asked(mesh)
        async with running_mesh(config(tmp_path)) as mesh:
            again = await programmed(mesh, "HTTPRoute", "payment")
            assert again["observedGeneration"] == before["observedGeneration"]


async def noticed_though_nobody_asked(mesh: Mesh) -> None:
    """The proxy has gone."""
    noticing = mesh.control_plane.noticing
    await eventually(lambda: len(mesh.control_plane.fleet) == 0)
    looked = noticing.complete
    await eventually(lambda: noticing.complete > looked)
    noticed = datetime.now(UTC)
    await eventually(lambda: datetime.now(UTC) >= noticed + timedelta(seconds=2))  # times are told in whole seconds
    now = await programmed(mesh, "HTTPRoute", "payment")
    assert (now["status"], now["reason"]) == ("False", "Pending")
    assert datetime.fromisoformat(now["lastTransitionTime"]) <= noticed


async def only_changes_count(mesh: Mesh, gateway_now: dict[str, Any]) -> None:
    """Others' changes recompile what is here, and leave its conditions as they were told; its own has a generation."""
    before = await programmed(mesh, "HTTPRoute", "payment")
    await mesh.apply(route("payment", name="other", path="/other"))
    await mesh.in_sync()
    assert await programmed(mesh, "HTTPRoute", "payment") == before
    assert await programmed(mesh, "Gateway", "edge") == gateway_now
    other = await programmed(mesh, "HTTPRoute", "other")
    assert other["observedGeneration"] == mesh.control_plane.operations.mesh.revision > before["observedGeneration"]
    await mesh.apply(route("payment", name="other", path="/another"))
    await mesh.in_sync()
    changed = await programmed(mesh, "HTTPRoute", "other")
    assert changed["observedGeneration"] == mesh.control_plane.operations.mesh.revision
    assert changed["lastTransitionTime"] == other["lastTransitionTime"]


async def shown_and_applied_again(mesh: Mesh, folder: Path) -> None:
    admin = mesh.control_plane.addresses.admin
    shown = await apg_async("--admin", admin, "-o", "yaml", "get", "HTTPRoute", "payment")
    document = yaml.safe_load(shown.out)
    assert [condition["type"] for condition in document["status"]["parents"][0]["conditions"]] == [
        "Accepted", "ResolvedRefs", "Programmed",
    ]  # fmt: skip
    path = folder / "shown.yaml"
    path.write_text(shown.out)
    again = await apg_async("--admin", admin, "apply", "-f", str(path))
    assert again.code == 0, again
    assert "no changes" in again.err


async def test_what_envoy_refuses_is_a_condition_of_the_document_it_came_from(tmp_path: Path) -> None:
    with reserve_port() as port, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with running_mesh(config(tmp_path)) as mesh:
            await mesh.add_service("payment")
            await mesh.apply(documents(gateway(port), route("payment")))
            async with running_envoy(mesh.xds_port, "default/edge", log_path=tmp_path / "envoy.log"):
                await mesh.in_sync()
                two = gateway(port).replace(
                    f"port: {port}}}]",
                    f"port: {port}}}, {{name: two, protocol: HTTP, port: {taken.getsockname()[1]}}}]",
                )
                await mesh.apply(two)

                async def refused() -> dict[str, Any] | None:
                    condition = await programmed(mesh, "Gateway", "edge")
                    return condition if condition["reason"] == "Invalid" else None

                condition = await eventually(refused)
                assert condition["status"] == "False"
                assert "cannot bind" in condition["message"]

"""A real Envoy judges what is compiled, before anything is published; its words come back on the documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher

from controlplane import app
from controlplane.admission.admission import Admission
from controlplane.cli.exits import violations
from policy.backends import Backend
from policy.compiler import names
from policy.compiler.clusters import cluster
from policy.compiler.compiler import Compiler
from policy.compiler.endpoints import load_assignment
from policy.compiler.inputs import BoundPort, HttpListener, ReachedBackend
from policy.compiler.listeners import listener
from policy.effective import NOTHING
from policy.errors import NotAdmittedError
from policy.plan import Plan, ResourceDiff
from policy.reading import read_documents
from protos.apg.admin.v1 import admin_pb2 as pb
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Protocol, ServiceKey
from tests.conditions import eventually
from tests.envoys import envoy_binary
from tests.meshes import DEADLINE, config, documents, gateway, route, running_mesh
from tests.pure.policy.test_compiler import mesh, service
from tests.shop import policy
from xds.encoder import encode
from xds.resource import Resource
from xds.resource_types import ROUTE
from xds.snapshot import Snapshot

GROUP = "default/edge"
NAME = f"{GROUP}/8080"
REFUSED = "(?=x)"  # a lookahead: RE2 has none


@pytest.fixture(scope="module")
def admission() -> Admission:
    return Admission(envoy_binary())


def plan(*resources: Resource, after: Mesh | None = None, changes: tuple[Change, ...] = ()) -> Plan:
    """A plan that puts `resources` in place for the first time."""
    return Plan(
        base_revision=0,
        changes=changes,
        resources=tuple(ResourceDiff(GROUP, None, resource) for resource in resources),
        warnings=(),
        after=after or Mesh(),
        snapshots={GROUP: Snapshot.of(resources)},
    )


def plain_cluster(name: str) -> Cluster:
    return cluster(ReachedBackend(Backend(ServiceKey("default", name), None), Protocol.HTTP, NOTHING))


def envoy_route(number: int, *, regex: str = "/.*", document: str = "HTTPRoute default/pay") -> Route:
    return Route(
        name=f"{document} rule {number} match 0",
        match=RouteMatch(safe_regex=RegexMatcher(regex=regex)),
        direct_response=DirectResponseAction(status=200),
    )


def routed(*routes: Route) -> list[Resource]:
    """A listener with these routes."""
    host = VirtualHost(name="*", domains=["*"], routes=list(routes))
    return [
        Resource.of(
            listener(BoundPort(NAME, ("127.0.0.1",), 8080, (HttpListener(NAME, policies=NOTHING, asked=()),))),
            origin=["Gateway default/edge"],
        ),
        Resource.of(RouteConfiguration(name=NAME, virtual_hosts=[host]), origin=["Gateway default/edge"]),
    ]


async def test_envoy_is_asked_once_for_all_and_not_again_for_what_it_knows(admission: Admission) -> None:
    items = service("payment", "v1", "v2")
    compiled = Compiler().compile(mesh(*items, text=documents(gateway(8080), route("payment-v1=1", "payment-v2=2"))))
    resources = [item for type in compiled[GROUP].types for item in compiled[GROUP].resources(type).values()]
    asked = admission.asked
    await admission.check(plan(*resources))
    await admission.check(plan(*resources))
    assert admission.asked == asked + 1


async def test_a_log_on_the_proxies_disk_need_not_be_there(admission: Admission) -> None:
    log = policy(
        "TelemetryPolicy",
        "accessLog: {sinks: [{type: File, path: /nowhere/access.log}]}",
        target="{kind: Gateway, name: edge}",
    )
    compiled = Compiler().compile(mesh(*service("payment"), text=documents(gateway(8080), route("payment"), log)))
    resources = [item for type in compiled[GROUP].types for item in compiled[GROUP].resources(type).values()]
    await admission.check(plan(*resources))


async def test_each_route_that_envoy_refuses_is_found_among_many_and_named(admission: Admission) -> None:
    routes = [envoy_route(number, regex=REFUSED if number in (3, 41) else "/.*") for number in range(100)]
    with pytest.raises(NotAdmittedError) as caught:
        await admission.check(plan(*routed(*routes)))
    assert [(problem.document, problem.path) for problem in caught.value.problems] == [
        ("HTTPRoute default/pay", "spec.rules[3].matches[0]"),
        ("HTTPRoute default/pay", "spec.rules[41].matches[0]"),
    ]
    for problem in caught.value.problems:
        assert "invalid perl operator: (?=" in problem.got
        assert f"RDS {NAME}" in problem.got


async def test_the_field_is_named_where_envoys_words_tell_it(admission: Admission) -> None:
    document = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay}
spec:
  parentRefs: [{name: edge}]
  rules:
    - matches: [{headers: [{name: x-a, value: "x(?=y)"}]}]
      timeouts: {request: 10s}
"""
    [typed] = read_documents(document.encode(), source="test")
    change = Change(None, typed.to_document())
    with pytest.raises(NotAdmittedError) as caught:
        await admission.check(
            plan(*routed(envoy_route(0, regex=REFUSED)), after=Mesh().after([change]), changes=(change,))
        )
    [problem] = caught.value.problems
    assert (problem.document, problem.path) == ("HTTPRoute default/pay", "spec.rules[0].matches[0].headers[0].value")


async def test_of_many_clusters_the_refused_one_is_named_and_is_not_asked_about_again(admission: Admission) -> None:
    bad = Cluster(name="default/bad", connect_timeout=None, load_assignment=ClusterLoadAssignment(), alt_stat_name="x")
    broken = Resource.from_bytes(
        Resource.of(bad).type, encode(bad) + b"\x22\x02\x10\x00" + b"\x10\x09", origin=["Service default/bad"]
    )  # type 9: no such discovery type
    good = [Resource.of(plain_cluster(str(n)), origin=[f"Service default/{n}"]) for n in range(8)]
    assignments = [Resource.of(load_assignment(f"default/{n}", ())) for n in range(8)]
    with pytest.raises(NotAdmittedError) as caught:
        await admission.check(plan(*good, *assignments, broken))
    assert [problem.document for problem in caught.value.problems] == ["Service default/bad"]
    asked = admission.asked
    with pytest.raises(NotAdmittedError):
        await admission.check(plan(*good, *assignments, broken))
    assert admission.asked == asked


async def test_the_load_assignment_is_judged_with_its_cluster(admission: Admission) -> None:
    endpoint = Endpoint("default", "a", "not-an-address", 80)
    resources = [
        Resource.of(plain_cluster("a")),
        Resource.of(load_assignment("default/a", [endpoint]), origin=["Service default/a"]),
    ]
    with pytest.raises(NotAdmittedError) as caught:
        await admission.check(plan(*resources))
    assert caught.value.problems[0].document == "Service default/a"
    assert "EDS default/a" in caught.value.problems[0].got


class Faulty(Compiler):
    """A compiler with a fault: what it makes of the HTTPRoute "faulty" is nothing that Envoy would take. Documents that
    pass validation compile to what Envoy takes, so that admission has nothing to find in the rest."""

    def compile(self, mesh: Mesh) -> Mapping[str, Snapshot]:
        snapshots = dict(super().compile(mesh))
        for key in mesh.documents:
            if key.name == "faulty":
                bad = envoy_route(0, regex=REFUSED, document=str(key))
                host = VirtualHost(name="*", domains=["*"], routes=[bad])
                name = names.listener(next(key for key in mesh.documents if key.kind == "Gateway"), 8080)
                spoiled = Resource.of(RouteConfiguration(name=name, virtual_hosts=[host]), origin=[str(key)])
                snapshots[GROUP] = snapshots[GROUP].replace(put=[spoiled])
        return snapshots


@pytest.mark.parametrize("default", ["none", "envoy"])
async def test_what_envoy_refuses_is_refused_by_plan_and_apply_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default: str
) -> None:
    monkeypatch.setattr(app, "Compiler", Faulty)
    check = pb.CHECK_ENVOY if default == "none" else pb.CHECK_UNSPECIFIED
    async with running_mesh(config(tmp_path, check=default)) as running:
        await running.add_service("payment")
        await running.apply(gateway(8080))

        async def published() -> bool:
            fleet = await running.fleet()
            return fleet.published_revision == fleet.revision

        await eventually(published)
        before = await running.fleet()
        text = route("payment", name="faulty").encode()
        for call in (
            running.api.Plan(pb.PlanRequest(documents=text, check=check), timeout=DEADLINE),
            running.api.Apply(pb.ApplyRequest(documents=text, check=check), timeout=DEADLINE),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            [violation] = violations(caught.value)
            assert violation.startswith("HTTPRoute default/faulty: spec.rules[0].matches[0]: got what a real Envoy")
            assert "invalid perl operator: (?=" in violation
        after = await running.fleet()
        assert (after.revision, after.published_revision) == (before.revision, before.published_revision)
        planned = await running.api.Plan(pb.PlanRequest(documents=text, check=pb.CHECK_NONE), timeout=DEADLINE)
        assert {diff.type_url for diff in planned.plan.resources} >= {ROUTE.type_url}

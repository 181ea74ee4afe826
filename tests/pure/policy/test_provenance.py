"""Which documents each part of a resource comes from."""

from __future__ import annotations

from policy.compiler.compiler import Compiler
from policy.provenance import Part, parts
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import GROUP, mesh, service
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceType

RETRIES = """
apiVersion: apg.mesh/v1
kind: RetryPolicy
metadata: {name: often}
spec: {targetRefs: [{kind: HTTPRoute, name: payment}], attempts: 3}
---
apiVersion: apg.mesh/v1
kind: RetryPolicy
metadata: {name: budget}
spec: {targetRefs: [{kind: Service, name: payment}], budget: {percent: 10}}
"""
MESH = mesh(
    *service("payment", "v1"),
    text=documents(gateway(8080), route("payment"), route("payment", name="other", path="/other"), RETRIES),
)


def parts_of(type: ResourceType, name: str) -> list[Part]:
    compiler = Compiler()
    resource = compiler.compile(MESH)[GROUP].get(type, name)
    assert resource is not None
    return list(parts(MESH, GROUP, resource, compiler))


def test_each_route_names_its_match_and_each_policy_its_fields() -> None:
    assert parts_of(ROUTE, f"{GROUP}/8080") == [
        Part(
            "virtual_hosts[*].routes[0]",
            "HTTPRoute default/other",
            "spec.rules[0].matches[0]",
            "policy.compiler.routes",
        ),
        Part(
            "virtual_hosts[*].routes[1]",
            "HTTPRoute default/payment",
            "spec.rules[0].matches[0]",
            "policy.compiler.routes",
        ),
        Part(
            "virtual_hosts[*].routes[1].route.retry_policy",
            "RetryPolicy default/often",
            "spec",
            "policy.compiler.retries",
        ),
    ]


def test_a_cluster_names_its_service_and_what_policies_add() -> None:
    service_part, *of_policies = parts_of(CLUSTER, "default/payment")
    assert service_part == Part("", "Service default/payment", "", "policy.compiler.clusters")
    assert of_policies
    assert {part.document for part in of_policies} == {"RetryPolicy default/budget"}
    assert all("circuit_breakers" in part.place for part in of_policies)
    assert all(part.step == "policy.compiler.retries" for part in of_policies)


def test_endpoints_and_listeners_name_what_is_registered_and_the_gateway() -> None:
    [endpoint] = parts_of(ENDPOINT, "default/payment")
    assert (endpoint.place, endpoint.document) == (
        "endpoints[0].lb_endpoints[0]",
        "Endpoint default/payment 10.0.0.1:8080",
    )
    assert [(part.place, part.path) for part in parts_of(LISTENER, f"{GROUP}/8080")] == [
        ("address", "spec.addresses"),
        ("filter_chains", "spec.listeners"),
    ]

"""What another namespace has is invisible without a ReferenceGrant, and reached with one."""

from __future__ import annotations

import pytest

from policy.compiler.compiler import Compiler
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from xds.resource_types import CLUSTER

AWAY = route("payment").replace("{name: payment, weight", "{name: payment, namespace: shop, weight")


def grant(source: str = "{kind: HTTPRoute, namespace: default}", target: str = "{kind: Service}") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{name: grant, namespace: shop}}
spec: {{from: [{source}], to: [{target}]}}
"""


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [Service("shop", "payment"), Service("default", "payment")]
    items += [
        item.to_document() for item in read_documents(documents(gateway(80), *texts).encode(), source="test")
    ]  # fmt: skip
    return Mesh().after(Change(None, item) for item in items)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (grant(), True),
        (grant(target="{kind: Service, name: payment}"), True),
        (grant(target="{kind: Service, name: cart}"), False),
        (grant(target="{kind: Secret}"), False),
        (grant(source="{kind: GRPCRoute, namespace: default}"), False),
        (grant(source="{kind: HTTPRoute, namespace: bank}"), False),
    ],
)
def test_a_grant_lets_just_whom_it_names_reach_just_what_it_names(given: str, allowed: bool) -> None:
    problems = validate(mesh(AWAY, given)).problems
    assert (problems == ()) == allowed
    assert len(problems) <= 1


def test_with_a_grant_requests_go_to_the_other_namespace() -> None:
    compiled = Compiler().compile(mesh(AWAY, grant()))["default/edge"]
    assert set(compiled.resources(CLUSTER)) == {"shop/payment"}


def test_without_one_nobody_is_told_whether_the_service_exists() -> None:
    def told(name: str) -> str:
        [problem] = validate(mesh(AWAY.replace("name: payment, name", f"name: {name}, name"))).problems
        return str(problem).replace(f"shop/{name}", "NAME").replace(f"Service {name}", "NAME")

    assert told("payment") == told("ghost")


def test_a_grant_that_a_route_needs_is_not_taken_away_unnoticed() -> None:
    [problem] = validate(mesh(AWAY)).problems
    assert str(problem) == (
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0]: got shop/payment, in another namespace, want a service "
        "in default, or a ReferenceGrant in shop from HTTPRoute in default to Service payment"
    )

"""What a plan shows of two large route configurations."""

from __future__ import annotations

import pytest

from controlplane.rendering import resource_yaml, resource_yamls
from policy.compiler.compiler import Compiler
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import GROUP, mesh, service
from xds.resource import Resource
from xds.resource_types import ROUTE


def routes_of(where: Mesh) -> Resource:
    found = Compiler().compile(where)[GROUP].get(ROUTE, f"{GROUP}/8080")
    assert found is not None
    return found


def many(count: int) -> Mesh:
    texts = [route("payment", name=f"r{number}", path=f"/{number}") for number in range(count)]
    return mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), *texts))


@pytest.mark.parametrize("count", [12, 200])
def test_of_many_routes_just_those_that_differ_are_shown(count: int) -> None:
    base = many(count)
    [changed] = read_documents(route("payment-v1", name="r7", path="/7").encode(), source="test")
    after = base.after([Change(base.documents[changed.key], changed.to_document())])
    one, other = resource_yamls(routes_of(base), routes_of(after))
    assert "cluster: default/payment\n" in one
    assert "cluster: default/payment-v1\n" in other
    for text in (one, other):
        assert text.count("- name: ") + text.count("name: HTTPRoute") <= 3
        assert "HTTPRoute default/r7 rule 0 match 0" in text


def test_of_few_routes_all_are_shown() -> None:
    base = many(3)
    one, other = resource_yamls(routes_of(base), routes_of(base))
    assert one == other
    assert one.count("HTTPRoute default/") == 3


def test_of_very_many_new_routes_the_first_are_shown_and_the_rest_counted() -> None:
    text = resource_yaml(routes_of(many(600)))
    assert text.count("HTTPRoute default/") == 500
    assert text.endswith("# and 100 more routes\n")

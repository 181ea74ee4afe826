"""Every example in docs/policies applies as it stands there, and a real Envoy would take what it compiles to."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.route.v3 import RedirectAction, Route, RouteConfiguration, RouteMatch, VirtualHost
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher

from policy.compiler.compiler import Compiler
from policy.validation import validate
from tests.examples import AllIdentities, Example, examples, mesh_of_examples, with_documents
from tests.verdicts import verdict
from xds.resource import Resource
from xds.resource_types import ROUTE


@pytest.mark.parametrize("example", list(examples()), ids=str)
async def test_an_example_applies_and_envoy_would_take_it(example: Example) -> None:
    mesh = with_documents(mesh_of_examples(), example.text)
    identities = AllIdentities()
    assert validate(mesh, identities=identities).problems == ()
    for snapshot in Compiler(identities).compile(mesh).values():
        assert await verdict(snapshot) == ""


async def test_a_verdict_can_be_a_refusal() -> None:
    """A regular expression that no document can hold stands for all that only Envoy can know."""
    [snapshot] = Compiler(AllIdentities()).compile(mesh_of_examples()).values()
    name = min(snapshot.resources(ROUTE))
    route = Route(match=RouteMatch(safe_regex=RegexMatcher(regex="/(?=cart)")), redirect=RedirectAction())
    host = VirtualHost(name="all", domains=["*"], routes=[route])
    broken = Resource.of(RouteConfiguration(name=name, virtual_hosts=[host]))
    assert "invalid perl operator" in await verdict(snapshot.replace(put=[broken]))

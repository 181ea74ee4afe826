"""Every example in docs/policies applies as it stands there, and a real Envoy would take what it compiles to."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType

from policy.compiler.compiler import Compiler
from policy.compiler.endpoints import load_assignment
from policy.validation import validate
from tests.examples import AllIdentities, Example, examples, mesh_of_examples, with_documents
from tests.verdicts import verdict
from xds.resource import Resource
from xds.snapshot import Snapshot


@pytest.mark.parametrize("example", list(examples()), ids=str)
async def test_an_example_applies_and_envoy_would_take_it(example: Example) -> None:
    mesh = with_documents(mesh_of_examples(), example.text)
    identities = AllIdentities()
    assert validate(mesh, identities=identities).problems == ()
    for snapshot in Compiler(identities).compile(mesh).values():
        assert await verdict(snapshot) == ""


async def test_a_verdict_can_be_a_refusal() -> None:
    """A cluster that says it is of EDS, and not where EDS is: only Envoy looks at that."""
    broken = Snapshot.of([Resource.of(Cluster(name="broken", type=ClusterDiscoveryType.EDS)), *_endpoints("broken")])
    assert "cannot create an EDS cluster without an EDS config" in await verdict(broken)


def _endpoints(name: str) -> list[Resource]:
    return [Resource.of(load_assignment(name, ()))]

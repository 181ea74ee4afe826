"""Every example in docs/policies applies as it stands there, and a real Envoy would take what it compiles to."""

from __future__ import annotations

import pytest

from policy.compiler.compiler import Compiler
from policy.validation import validate
from tests.examples import AllIdentities, Example, examples, mesh_of_examples, with_documents
from tests.verdicts import verdict


@pytest.mark.parametrize("example", list(examples()), ids=str)
async def test_an_example_applies_and_envoy_would_take_it(example: Example) -> None:
    mesh = with_documents(mesh_of_examples(), example.text)
    identities = AllIdentities()
    assert validate(mesh, identities=identities).problems == ()
    for snapshot in Compiler(identities).compile(mesh).values():
        assert await verdict(snapshot) == ""


async def test_a_verdict_can_be_a_refusal() -> None:
    """Envoy's own rules about a regular expression stand for all that only Envoy can know."""
    text = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: edge}]
  rules:
    - matches: [{path: {type: RegularExpression, value: '/(?=cart)'}}]
      backendRefs: [{name: cart}]
"""
    mesh = with_documents(mesh_of_examples(), text)
    [snapshot] = Compiler().compile(mesh).values()
    assert "invalid perl operator" in await verdict(snapshot)

"""What an understood split does to the documents: the asked shares exactly, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnknownNameError
from intelligence.intents.intents import Share, TrafficSplit
from intelligence.intents.plan import operations
from intelligence.intents.understanding import Understanding
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Document, Endpoint, Item, Service, ServiceKey, labels
from tests.meshes import documents, gateway, route

PAYMENT = ServiceKey("default", "payment")


def mesh(text: str, *versions: str) -> Mesh:
    items: list[Item] = [Service("default", "payment"), Service("default", "other")]
    items += [
        Endpoint("default", "payment", f"10.0.0.{number}", 80, labels({"version": version}))
        for number, version in enumerate(versions, start=1)
    ]
    items += [document.to_document() for document in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def asked(**shares: str) -> Understanding:
    split = TrafficSplit(PAYMENT, tuple(Share(version, Decimal(percent)) for version, percent in shares.items()))
    return Understanding((split,), (), 1.0, "test")


def backends(change: Change, rule: int = 0) -> list[dict[str, Any]]:
    assert isinstance(change.after, Document)
    refs: list[dict[str, Any]] = json.loads(change.after.body)["spec"]["rules"][rule]["backendRefs"]
    return refs


def after(text: str, understanding: Understanding, *versions: str) -> dict[str, int]:
    [change] = operations(understanding, mesh(documents(gateway(8080), text), *versions))
    return {ref["name"]: ref.get("weight", 1) for ref in backends(change)}


@pytest.mark.parametrize(
    ("now", "shares", "then"),
    [
        (("payment-v1",), {"v2": "20"}, {"payment-v1": 80, "payment-v2": 20}),
        (("payment",), {"v2": "20"}, {"payment-v1": 80, "payment-v2": 20}),
        (("payment-v1=90", "payment-v2=10"), {"v2": "20"}, {"payment-v1": 80, "payment-v2": 20}),
        (("payment-v1",), {"v2": "100"}, {"payment-v2": 100}),
        (("payment-v1",), {"v1": "50", "v2": "50"}, {"payment-v1": 50, "payment-v2": 50}),
        (("payment-v1",), {"v2": "12.5"}, {"payment-v1": 7, "payment-v2": 1}),
        (("payment-v1",), {"v2": "0.01"}, {"payment-v1": 9999, "payment-v2": 1}),
        (("payment-v1=3", "other=1"), {"v2": "20"}, {"payment-v1": 12, "payment-v2": 3, "other": 5}),
        (("payment-v1=0",), {"v2": "20"}, {"payment-v1": 80, "payment-v2": 20}),
    ],
)
def test_the_rule_realises_the_shares(now: tuple[str, ...], shares: dict[str, str], then: dict[str, int]) -> None:
    assert after(route(*now), asked(**shares), "v1", "v2") == then


def test_the_rest_stays_in_its_present_proportions() -> None:
    text = route("payment-v1=30", "payment-v2=60", "payment-v3=10")
    assert after(text, asked(v3="40"), "v1", "v2", "v3") == {"payment-v1": 20, "payment-v2": 40, "payment-v3": 40}


def test_a_rest_that_could_go_to_several_versions_is_asked_back() -> None:
    with pytest.raises(AmbiguousError, match="the other 80% of default/payment goes to v1 or v2"):
        after(route("payment"), asked(v3="20"), "v1", "v2", "v3")


def test_a_rest_without_anywhere_to_go_is_refused() -> None:
    with pytest.raises(ContradictionError, match="nowhere to go"):
        after(route("payment"), asked(v1="20"), "v1")


def test_without_a_route_that_carries_the_traffic_the_routes_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no HTTPRoute with a backend of default/payment"):
        after(route("other"), asked(v2="20"), "v1", "v2")


def test_what_is_so_already_is_no_change() -> None:
    text = documents(gateway(8080), route("payment-v1=80", "payment-v2=20"))
    assert operations(asked(v2="20"), mesh(text, "v1", "v2")) == ()


def test_every_rule_that_carries_the_traffic_is_changed_and_no_other() -> None:
    two = route("payment-v1", name="a") + "    - backendRefs: [{name: other}]\n"
    text = documents(gateway(8080), two, route("payment-v1", name="b"), route("other", name="c"))
    changes = operations(asked(v2="100"), mesh(text, "v1", "v2"))
    assert [str(change) for change in changes] == ["change HTTPRoute default/a", "change HTTPRoute default/b"]
    assert [ref["name"] for ref in backends(changes[0])] == ["payment-v2"]
    assert [ref["name"] for ref in backends(changes[0], rule=1)] == ["other"]


@given(
    hundredths=st.integers(0, 10_000),
    weights=st.tuples(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50)),
)
@settings(max_examples=80, deadline=None)
def test_the_weights_are_the_shares_exactly(hundredths: int, weights: tuple[int, int, int]) -> None:
    v1, v2, other = weights
    before = mesh(documents(gateway(8080), route(f"payment-v1={v1}", f"payment-v2={v2}", f"other={other}")), "v1", "v2")
    changes = operations(asked(v2=str(Decimal(hundredths) / 100)), before)
    if not changes:
        return
    found = {ref["name"]: ref.get("weight", 1) for ref in backends(changes[0])}
    own = found.get("payment-v1", 0) + found.get("payment-v2", 0)
    assert Fraction(found.get("payment-v2", 0), own) == Fraction(hundredths, 10_000)
    assert Fraction(found["other"], own + found["other"]) == Fraction(other, v1 + v2 + other)

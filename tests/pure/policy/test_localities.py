"""Where endpoints are, as their labels say it."""

from __future__ import annotations

from typing import Any

import pytest
from betterproto2 import Casing
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment

from policy.compiler.endpoints import load_assignment
from registry.model import Endpoint, labels
from xds.encoder import encode


def instance(number: int, *, weight: int = 1, **of: str) -> Endpoint:
    return Endpoint("default", "a", f"10.0.0.{number}", 80, labels(of), weight)


def placed(*instances: Endpoint) -> list[tuple[Any, int, Any, list[str]]]:
    made = ClusterLoadAssignment.parse(encode(load_assignment("a", instances))).to_dict(casing=Casing.SNAKE)
    return [
        (
            group.get("locality"),
            group.get("priority", 0),
            group.get("load_balancing_weight"),
            [item["endpoint"]["address"]["socket_address"]["address"] for item in group["lb_endpoints"]],
        )
        for group in made.get("endpoints", [])
    ]


def test_endpoints_without_a_place_are_together() -> None:
    assert placed(instance(1), instance(2)) == [(None, 0, None, ["10.0.0.1", "10.0.0.2"])]
    assert placed() == []


def test_endpoints_are_grouped_by_region_and_zone() -> None:
    one, two = instance(1, region="eu", zone="a", weight=2), instance(2, region="eu", zone="b")
    other = Endpoint(
        "default", "a", "10.0.0.3", 80,
        labels({"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "a"}), 3,
    )  # fmt: skip
    assert placed(one, two, other) == [
        ({"region": "eu", "zone": "a"}, 0, None, ["10.0.0.1", "10.0.0.3"]),
        ({"region": "eu", "zone": "b"}, 0, None, ["10.0.0.2"]),
    ]


def test_priorities_have_no_gaps_whatever_numbers_were_given() -> None:
    assert [group[1] for group in placed(instance(1, priority="10"), instance(2, priority="3"))] == [0, 1]
    assert placed(instance(1, priority="10"), instance(2, priority="3"))[0][3] == ["10.0.0.2"]


@pytest.mark.parametrize("text", ["", "first", "-1", "1.5", "²"])
def test_a_priority_that_is_no_number_is_the_default(text: str) -> None:
    assert placed(instance(1, priority=text), instance(2)) == [(None, 0, None, ["10.0.0.1", "10.0.0.2"])]

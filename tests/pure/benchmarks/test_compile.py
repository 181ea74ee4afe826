"""The compile benchmark measures what it says."""

from __future__ import annotations

from benchmarks.compile import GROUP, measure_compiler, mesh_items, route_count
from policy.compiler.compiler import Compiler
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change
from xds.resource_types import CLUSTER


def test_its_mesh_is_valid_and_every_service_is_routed_to() -> None:
    mesh = Mesh().after(Change(None, item) for item in mesh_items(50))
    assert validate(mesh).problems == ()
    assert len(Compiler().compile(mesh)[GROUP].resources(CLUSTER)) == 50


def test_each_round_is_a_change() -> None:
    figures = measure_compiler(30, 3)
    assert figures["routes"] == route_count(30) == 9
    assert len(figures["endpoint"]) == len(figures["route"]) == 3
    assert min(figures["cold"]) > max(figures["endpoint"])

"""What a sidecar may call that it does not declare, and what its group's snapshot is then."""

from __future__ import annotations

import pytest

from policy.compiler.compiler import Compiler
from policy.documents import Documents
from policy.on_demand import named
from policy.reading import read_documents
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import Change, DocumentKey, Item, Service, ServiceKey
from tests.meshes import documents
from tests.pure.policy.test_compiler import service
from xds.resource_types import CLUSTER, LISTENER, ROUTE

KEY = DocumentKey(Sidecar.KIND, "default", "checkout")
GROUP = "sidecar/default/checkout"
OUTBOUND = f"{GROUP}/outbound"
CART = ServiceKey("default", "cart")
SIDECAR = """
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {name: checkout}
spec: {inbound: {application: 8080}, dependencies: [{name: payment}]}
"""
OUTSIDE = """
apiVersion: apg.mesh/v1
kind: ExternalService
metadata: {name: maps}
spec: {host: maps.example, port: 443, tls: {}}
"""
GRANT = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: callers, namespace: bank}
spec: {from: [{group: apg.mesh, kind: Sidecar, namespace: default}], to: [{kind: Service, name: ledger}]}
"""


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [Service("default", name) for name in ("checkout", "payment", "a.b")]
    items += [Service("bank", "ledger"), Service("bank", "vault")]
    items += service("cart", "v2")
    items += [item.to_document() for item in read_documents(documents(*texts).encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def found(host: str, *texts: str) -> str | None:
    where = mesh(*texts)
    written = Documents.of(where)
    sidecar = written.get(Sidecar, "default", "checkout")
    assert sidecar is not None
    meant = named(where, written, sidecar, host)
    return None if meant is None else str(meant)


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("cart", "default/cart"),
        ("cart:80", "default/cart"),
        ("cart.default", "default/cart"),
        ("cart.default.svc", "default/cart"),
        ("cart.default.svc.cluster.local:8080", "default/cart"),
        ("cart-v2", "default/cart-v2"),
        ("cart-v3", None),  # no endpoint has that version
        ("a.b", "default/a.b"),
        ("a.b.default", "default/a.b"),
        ("cart.svc", None),
        ("maps", "default/maps"),
        ("maps.example", "default/maps"),
        ("ledger.bank", "bank/ledger"),
        ("vault.bank", None),  # not granted
        ("ledger", None),
        ("", None),
        (".", None),
        ("*", None),
        ("checkout@application", None),
        ("[::1]:80", None),
    ],
)
def test_a_host_means_what_may_be_called(host: str, wanted: str | None) -> None:
    assert found(host, SIDECAR, OUTSIDE, GRANT) == wanted


def test_without_a_grant_or_where_it_is_refused_it_means_nothing() -> None:
    assert found("ledger.bank", SIDECAR) is None
    refusing = SIDECAR.replace("dependencies", "outbound: {undeclared: Refuse}, dependencies")
    assert found("cart", refusing) is None


def test_what_is_asked_for_is_compiled_as_if_it_were_declared_and_goes_with_its_grant() -> None:
    compiler, where = Compiler(), mesh(SIDECAR, GRANT)
    before = compiler.compile(where)[GROUP]
    ledger = ServiceKey("bank", "ledger")
    compiler.demand = {KEY: frozenset({CART, ledger, ServiceKey("bank", "vault")})}
    asked = compiler.compile(where)[GROUP]
    assert set(asked.resources(CLUSTER)) - set(before.resources(CLUSTER)) == {"default/cart", "bank/ledger"}
    assert asked.get(LISTENER, OUTBOUND) is before.get(LISTENER, OUTBOUND)

    declared = Compiler().compile(mesh(SIDECAR.replace("{name: payment}", "{name: payment}, {name: cart}")))[GROUP]
    compiler.demand = {KEY: frozenset({CART})}
    same, there = compiler.compile(where)[GROUP].get(ROUTE, OUTBOUND), declared.get(ROUTE, OUTBOUND)
    assert same is not None
    assert there is not None
    assert same.body == there.body

    compiler.demand = {KEY: frozenset({CART, ledger})}
    grant = next(document for key, document in where.documents.items() if key.kind == "ReferenceGrant")
    gone = compiler.compile(where.after([Change(grant, None)]))[GROUP]
    assert set(gone.resources(CLUSTER)) - set(before.resources(CLUSTER)) == {"default/cart"}
    compiler.demand = {}
    assert compiler.compile(where)[GROUP].same_as(before)

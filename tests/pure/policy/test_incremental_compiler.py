"""Whatever was compiled before, a mesh compiles to the same: what is remembered saves work and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.compiler.compiler import Compiler
from policy.identities import CertificateChain, Identity, TrustBundle
from policy.reading import read_documents
from policy.validation import Memory, validate
from registry.mesh import Mesh
from registry.model import (
    Change,
    Document,
    DocumentKey,
    Endpoint,
    EndpointKey,
    Item,
    ItemKey,
    Protocol,
    Service,
    ServiceKey,
    labels,
)
from tests.examples import examples, mesh_of_examples
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import mesh, service
from xds.resource_types import RESOURCE_TYPES
from xds.snapshot import Snapshot

NAMES = ("pay", "pay-v1", "pay-v1-b", "cart")
HOSTS = ("shop.test", "*.test", "a.shop.test")
GATEWAY_API, OURS = "gateway.networking.k8s.io/v1", "apg.mesh/v1"


def document(kind: str, name: str, spec: Mapping[str, Any]) -> Document:
    version = OURS if kind in ("RetryPolicy", "Sidecar", "ExternalService") else GATEWAY_API
    text = json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    [typed] = read_documents(text.encode(), source="test")
    return typed.to_document()


PARENTS: list[dict[str, Any]] = [
    {"name": "edge"},
    {"name": "edge", "sectionName": "shop"},
    {"name": "edge", "sectionName": "tls"},
    {"name": "inner"},
    {"kind": "Service", "group": "", "name": "pay"},
]


@st.composite
def routes(draw: st.DrawFn) -> Document:
    refs = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    rule = {
        "name": "one",
        "matches": [{"path": {"value": draw(st.sampled_from(["/", "/a", "/a/b"]))}}],
        "backendRefs": [{"name": name} for name in refs],
    }
    if draw(st.booleans()):
        mirror = {"backendRef": {"name": draw(st.sampled_from(NAMES))}}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
    parent = draw(st.sampled_from(PARENTS))
    spec: dict[str, Any] = {"parentRefs": [parent], "rules": [rule]}
    if parent.get("kind") != "Service":
        spec["hostnames"] = draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True))
    return document("HTTPRoute", draw(st.sampled_from(["r1", "r2", "r3", "r4"])), spec)


@st.composite
def policies(draw: st.DrawFn) -> Document:
    target = draw(
        st.sampled_from(
            [{"kind": "HTTPRoute", "name": name} for name in ("r1", "r2")]
            + [{"kind": "HTTPRoute", "name": "r1", "sectionName": "one"}]
            + [{"kind": "Gateway", "name": "edge"}, {"kind": "Gateway", "name": "edge", "sectionName": "shop"}]
        )
    )
    name = draw(st.sampled_from(["p1", "p2"]))
    return document("RetryPolicy", name, {"targetRefs": [target], "attempts": draw(st.integers(1, 3))})


@st.composite
def budgets(draw: st.DrawFn) -> Document:
    target = {"kind": "Service", "name": draw(st.sampled_from(["pay", "cart"]))}
    return document("RetryPolicy", "p3", {"targetRefs": [target], "budget": {"percent": draw(st.integers(10, 12))}})


@st.composite
def gateways(draw: st.DrawFn) -> Document:
    listeners = [{"name": "any", "protocol": "HTTP", "port": 8080}]
    if draw(st.booleans()):
        listeners.append({"name": "shop", "protocol": "HTTP", "port": 8080, "hostname": "shop.test"})
    if draw(st.booleans()):
        tls = {"certificateRefs": [{"name": draw(st.sampled_from(["known", "unknown"]))}]}
        listeners.append({"name": "tls", "protocol": "HTTPS", "port": 8443, "tls": tls})
    return document("Gateway", draw(st.sampled_from(["edge", "inner"])), {"listeners": listeners})


@st.composite
def sidecars(draw: st.DrawFn) -> Document:
    dependencies = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
    return document(
        "Sidecar",
        draw(st.sampled_from(["cart", "pay"])),
        {
            "inbound": {"port": 15006, "application": 8080},
            "outbound": {"port": 15001},
            "dependencies": [{"name": name} for name in dependencies],
        },
    )


OUTSIDE = st.builds(
    lambda name, host: document("ExternalService", name, {"host": host, "port": 443}),
    st.sampled_from(["pay", "bank"]),
    st.sampled_from(["one.example", "two.example"]),
)
SERVICES = st.builds(
    lambda name, protocol: Service("default", name, 80, protocol), st.sampled_from(NAMES), st.sampled_from(Protocol)
)
ENDPOINTS = st.builds(
    lambda name, number, version, weight: Endpoint(
        "default", name, f"10.0.0.{number}", 80, labels({"version": version}), weight
    ),
    st.sampled_from(NAMES),
    st.integers(1, 3),
    st.sampled_from(["v1", "v1-b", "v2"]),
    st.integers(1, 2),
)
ITEMS: st.SearchStrategy[Item] = st.one_of(
    routes(), routes(), policies(), budgets(), gateways(), sidecars(), OUTSIDE, SERVICES, ENDPOINTS, ENDPOINTS
)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "put", "put", "remove", "back"]), ITEMS), min_size=1, max_size=25)


class Certificates:
    """One identity has a certificate; whether it has is for the test to say."""

    def __init__(self) -> None:
        self.known = True

    def certificate(self, identity: Identity) -> CertificateChain | None:
        return CertificateChain("chain", "key") if self.known and identity.name == "known" else None

    def trust(self, identity: Identity) -> TrustBundle | None:
        return None


def content(snapshots: Mapping[str, Snapshot]) -> dict[str, Any]:
    """All that a compilation says, origins included."""
    return {
        group: {
            (type.short, name): (item.version, item.origin, item.references)
            for type in RESOURCE_TYPES
            for name, item in snapshot.resources(type).items()
        }
        for group, snapshot in snapshots.items()
    }


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_after_any_changes_it_compiles_to_what_a_new_compiler_makes_of_it(steps: list[tuple[str, Item]]) -> None:
    certificates = Certificates()
    compiler, memory = Compiler(certificates), Memory()
    start = [document("Gateway", "edge", {"listeners": [{"name": "any", "protocol": "HTTP", "port": 8080}]})]
    first: list[Item] = [*start, *(Service("default", name) for name in NAMES)]
    meshes = [Mesh().after([Change(None, item) for item in first])]
    compiler.compile(meshes[0])
    for number, (what, item) in enumerate(steps):
        if what == "back":
            meshes.append(meshes[-1 - number % min(3, len(meshes))])
            certificates.known = not certificates.known
        else:
            before = held(meshes[-1], item.key)
            after = item if what == "put" else None
            if (before, after) == (None, None) or before == after:
                continue
            meshes.append(meshes[-1].after([Change(before, after)]))
        compiled = compiler.compile(meshes[-1])
        assert content(compiled) == content(Compiler(certificates).compile(meshes[-1]))
        judged = validate(meshes[-1], changed={item.key}, memory=memory)
        assert judged == validate(meshes[-1], changed={item.key}, memory=Memory())
        for group, snapshot in compiled.items():
            assert snapshot.same_as(Snapshot.of(all_of(snapshot))), group


def held(where: Mesh, key: ItemKey) -> Item | None:
    match key:
        case ServiceKey():
            return where.services.get(key)
        case DocumentKey():
            return where.documents.get(key)
        case EndpointKey():
            return where.endpoint(key)


def all_of(snapshot: Snapshot) -> list[Any]:
    return [item for type in RESOURCE_TYPES for item in snapshot.resources(type).values()]


def test_of_many_routes_the_changed_one_alone_is_encoded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from policy.compiler import routes as builder

    made: list[str] = []
    original = builder._route

    def counted(routed: Any, number: int, match: Any) -> Any:
        made.append(routed.route.key.name)
        return original(routed, number, match)

    monkeypatch.setattr(builder, "_route", counted)
    texts = [route("payment", name=f"r{number}", path=f"/{number}") for number in range(50)]
    base = mesh(*service("payment", "v1", "v2"), text=documents(gateway(8080), *texts))
    compiler = Compiler()
    compiler.compile(base)
    made.clear()
    [changed] = read_documents(route("payment-v1", name="r7", path="/7").encode(), source="test")
    compiler.compile(base.after([Change(base.documents[changed.key], changed.to_document())]))
    assert made == ["r7"]


def test_a_mesh_knows_what_differs_from_its_relatives() -> None:
    root = Mesh()
    one, two, three = Service("a", "one"), Service("a", "two"), Service("a", "three")
    parent = root.after([Change(None, one)])
    left, right = parent.after([Change(None, two)]), parent.after([Change(None, three)])
    assert right.changed_since(right) == frozenset()
    assert left.changed_since(root) == frozenset([one.key, two.key])
    assert left.changed_since(right) == frozenset([two.key, three.key])
    assert root.changed_since(left) == frozenset([one.key, two.key])
    assert Mesh().changed_since(root) is None
    assert parent.after([Change(None, Service("a", str(n))) for n in range(2_000)]).changed_since(parent) is None
    far = parent
    for number in range(100):
        far = far.after([Change(None, Service("a", str(number)))])
    assert far.changed_since(parent) is None


SHOWN: list[Item] = [
    document.to_document()
    for example in examples()
    for document in read_documents(example.text.encode(), source=str(example))
]
MOVING: list[Item] = [
    Endpoint("default", name, f"10.9.0.{number}", 8080, labels({"version": version, "zone": version}))
    for name in ("payment", "cart")
    for number, version in enumerate(("v1", "v2", "v3"), start=1)
]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.one_of(st.sampled_from(SHOWN), st.sampled_from(MOVING))), min_size=1, max_size=15
    )
)
def test_so_it_does_with_all_kinds_that_the_docs_show(steps: list[tuple[bool, Item]]) -> None:
    compiler, memory = Compiler(), Memory()
    now = mesh_of_examples()
    compiler.compile(now)
    for put, item in steps:
        before, after = held(now, item.key), item if put else None
        if before != after:
            now = now.after([Change(before, after)])
            assert content(compiler.compile(now)) == content(Compiler().compile(now))
            judged = validate(now, changed={item.key}, memory=memory)
            assert judged == validate(now, changed={item.key}, memory=Memory())

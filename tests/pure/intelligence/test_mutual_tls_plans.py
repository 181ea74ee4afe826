"""What mutual TLS by sentence does to the documents, and what it says where something is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controlplane.certificates import FileIdentities
from intelligence.intents.intents import Feature, MtlsMode, MutualTls, TakeOff
from intelligence.intents.plan import Written, write
from policy.identities import Identity
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Document, Item, Service, ServiceKey
from tests.certificates import Authority, install_workload
from tests.meshes import documents, gateway, route
from tests.shop import policy

PAYMENT, CART, CHECKOUT = (ServiceKey("default", name) for name in ("payment", "cart", "checkout"))
SERVICE = "{kind: Service, name: payment}"


def sidecar(name: str, *dependencies: str) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec:
  inbound: {{application: 9000}}
  dependencies: [{", ".join(f"{{name: {dependency}}}" for dependency in dependencies)}]
"""


BOTH = documents(sidecar("payment"), sidecar("cart", "payment"))


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> FileIdentities:
    """payment and cart have certificates of the trust domain shop.example; checkout has somebody else's."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    for name, claimed in (("payment", "payment"), ("cart", "cart"), ("checkout", "payment")):
        install_workload(authority, folder / "c", name, f"spiffe://shop.example/ns/default/sa/{claimed}")
    found = FileIdentities(folder / "c")
    found.reload()
    return found


def mesh(text: str, *services: str) -> Mesh:
    items: list[Item] = [Service("default", name) for name in services or ("payment", "cart")]
    if text:
        items += [document.to_document() for document in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def written(
    identities: FileIdentities | None, text: str, target: ServiceKey | None, mode: MtlsMode, *services: str
) -> Written:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return write([MutualTls(target, mode)], mesh(text, *services), now=now, identities=identities)


def specs(found: Written) -> list[Any]:
    """The targets' names and the mode of each policy that is written; None for one that goes."""
    assert not found.needs
    assert not found.unsupported
    shown: list[Any] = []
    for change in found.changes:
        if not isinstance(change.after, Document):
            shown.append(None)
            continue
        spec = json.loads(change.after.body)["spec"]
        mutual = spec["mutualTls"]
        assert mutual["trustDomain"] == "shop.example"
        shown.append(([ref["name"] for ref in spec["targetRefs"]], mutual.get("mode", "Strict")))
    return shown


def test_a_certificate_says_whose_it_is(identities: FileIdentities) -> None:
    chain = identities.certificate(Identity("default", "payment"))
    assert chain is not None
    assert chain.spiffe_id == "spiffe://shop.example/ns/default/sa/payment"


def test_all_services_are_one_policy_and_the_trust_domain_is_that_of_the_certificates(
    identities: FileIdentities,
) -> None:
    assert specs(written(identities, BOTH, None, MtlsMode.STRICT)) == [(["cart", "payment"], "Strict")]


def test_what_stands_already_is_no_change_and_another_mode_changes_it(identities: FileIdentities) -> None:
    standing = policy(
        "AuthenticationPolicy", "mutualTls: {mode: Permissive, trustDomain: shop.example}", target=SERVICE
    )
    text = documents(BOTH, standing)
    assert specs(written(identities, text, PAYMENT, MtlsMode.PERMISSIVE)) == []
    assert specs(written(identities, text, PAYMENT, MtlsMode.STRICT)) == [(["payment"], "Strict")]


def test_one_of_several_targets_gets_a_policy_of_its_own(identities: FileIdentities) -> None:
    shared = policy(
        "AuthenticationPolicy",
        "mutualTls: {trustDomain: shop.example}",
        target="{kind: Service, name: cart}, {kind: Service, name: payment}",
    )
    found = written(identities, documents(BOTH, shared), PAYMENT, MtlsMode.PERMISSIVE)
    assert specs(found) == [(["payment"], "Permissive"), (["cart"], "Strict")]
    assert specs(written(identities, documents(BOTH, shared), PAYMENT, MtlsMode.OFF)) == [(["cart"], "Strict")]
    assert specs(written(identities, documents(BOTH, shared), None, MtlsMode.OFF)) == [None]


def test_off_where_there_is_none_is_said() -> None:
    found = written(None, BOTH, CART, MtlsMode.OFF)
    assert found.changes == ()
    assert "plain already" in found.notes[0]


def test_no_login_means_no_mutual_tls_by_the_way(identities: FileIdentities) -> None:
    standing = policy("AuthenticationPolicy", "mutualTls: {trustDomain: shop.example}", target=SERVICE)
    jwt = policy("AuthenticationPolicy", "basic: {htpasswdFile: /etc/users}", name="jwt")
    text = documents(BOTH, gateway(8080), route("payment"), standing, jwt)
    found = write([TakeOff(Feature.LOGIN, None)], mesh(text), now=datetime.now(UTC), identities=identities)
    assert [change.before.name for change in found.changes if isinstance(change.before, Document)] == ["jwt"]


def test_without_any_sidecar_it_is_refused(identities: FileIdentities) -> None:
    found = written(identities, "", None, MtlsMode.STRICT)
    assert "all services have no Sidecar" in found.unsupported[0]


def test_where_some_have_none_it_is_asked_which_are_meant(identities: FileIdentities) -> None:
    found = written(identities, sidecar("payment"), None, MtlsMode.STRICT)
    [need] = found.needs
    assert (need.what, need.choices) == ("sidecar", ("default/payment",))
    assert "default/cart has no Sidecar" in need.question
    assert found.changes == ()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (ServiceKey("default", "orders"), "there is no certificate for default/orders"),
        (CHECKOUT, "the certificate for default/checkout has spiffe://shop.example/ns/default/sa/payment, want"),
    ],
)
def test_a_service_that_cannot_prove_who_it_is_stays_as_it_is(
    identities: FileIdentities, key: ServiceKey, words: str
) -> None:
    found = written(identities, sidecar(key.name), key, MtlsMode.STRICT, key.name)
    assert words in found.unsupported[0]
    assert found.changes == ()


def test_callers_that_would_be_shut_out_are_a_danger(identities: FileIdentities) -> None:
    text = documents(sidecar("payment"), sidecar("cart", "payment"), gateway(8080), route("payment"))
    strict = written(identities, text, PAYMENT, MtlsMode.STRICT)
    [danger] = strict.dangers
    assert danger.startswith("it shuts out Gateway default/edge from default/payment: there is no certificate for it")
    assert written(identities, text, PAYMENT, MtlsMode.PERMISSIVE).dangers == ()

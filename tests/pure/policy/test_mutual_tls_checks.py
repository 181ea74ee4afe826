"""What is said of mutual TLS that somebody cannot take part in."""

from __future__ import annotations

import pytest

from policy.identities import CertificateChain, Identity, TrustBundle
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway, route
from tests.shop import policy


class Some:
    """Identities of which some have a certificate, and some others know whom to believe."""

    def __init__(self, certificates: str, trust: str) -> None:
        self._certificates, self._trust = certificates.split(), trust.split()

    def certificate(self, identity: Identity) -> CertificateChain | None:
        return CertificateChain("", "") if identity.name in self._certificates else None

    def trust(self, identity: Identity) -> TrustBundle | None:
        return TrustBundle("") if identity.name in self._trust else None


def sidecar(name: str, *dependencies: str) -> str:
    listed = ", ".join(f"{{name: {dependency}}}" for dependency in dependencies)
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec: {{inbound: {{application: 8080}}, dependencies: [{listed}]}}
"""


ALL = documents(sidecar("payment"), sidecar("cart", "payment"), gateway(8080), route("payment"))


def said(mode: str, identities: Some, text: str = ALL) -> list[str]:
    items: list[Item] = [Service("default", "payment"), Service("default", "cart")]
    asked = policy("AuthenticationPolicy", f"mutualTls: {{mode: {mode}}}", target="{kind: Service, name: payment}")
    items += [item.to_document() for item in read_documents(documents(text, asked).encode(), source="test")]
    mesh = Mesh().after(Change(None, item) for item in items)
    findings = validate(mesh, identities=identities)
    assert findings.problems == ()
    head = "AuthenticationPolicy default/test: spec.targetRefs[0]: "
    return [warning.removeprefix(head) for warning in findings.warnings if warning.startswith(head)]


CLOSED = "default/payment has no certificate: with Strict, its sidecars' port stays closed until it has"
EVERYBODY = "payment cart edge"


@pytest.mark.parametrize(
    ("mode", "certificates", "trust", "wanted"),
    [
        ("Strict", EVERYBODY, EVERYBODY, []),
        ("Permissive", EVERYBODY, EVERYBODY, []),
        ("Permissive", "payment", "payment", []),
        ("Strict", "cart edge", EVERYBODY, [CLOSED]),
        (
            "Strict",
            EVERYBODY,
            "cart edge",
            [
                "default/payment has nobody to believe (ca.crt): with Strict, its sidecars' port stays closed until it has"
            ],
        ),
        (
            "Permissive",
            "",
            "",
            [
                "default/payment has no certificate and nobody to believe (ca.crt): its sidecars take plain calls alone, "
                "and TLS gets 503"
            ],
        ),
        (
            "Strict",
            "payment",
            "payment edge",
            [
                "Sidecar default/cart, Gateway default/edge call default/payment without a certificate: with Strict, "
                "they get 503"
            ],
        ),
    ],
)
def test_who_cannot_take_part_is_told(mode: str, certificates: str, trust: str, wanted: list[str]) -> None:
    assert said(mode, Some(certificates, trust)) == wanted


def test_a_service_without_a_sidecar_takes_no_tls() -> None:
    text = documents(sidecar("cart", "payment"), gateway(8080), route("payment"))
    [told] = said("Strict", Some(EVERYBODY, EVERYBODY), text)
    assert told == "default/payment has no Sidecar that would take TLS: calls with a certificate get 503"

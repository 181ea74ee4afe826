"""What helps whoever wrote a wrong topology document: streams, gRPC, grants, hosts outside, TLS to backends."""

from __future__ import annotations

import pytest

from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents, gateway


def problems(text: str) -> list[str]:
    """All that is wrong with `text` in a mesh with the service payment and the Gateway edge (HTTP, port 80)."""
    items: list[Item] = [Service("default", "payment", 8080)]
    try:
        items += [item.to_document() for item in read_documents(documents(gateway(80), text).encode(), source="test")]
        return [str(problem) for problem in validate(Mesh().after(Change(None, item) for item in items)).problems]
    except PolicyError as error:
        return [str(problem) for problem in error.problems]


def document(kind: str, spec: str, *, api: str = "gateway.networking.k8s.io/v1", name: str = "it") -> str:
    return f"""
apiVersion: {api}
kind: {kind}
metadata: {{name: {name}}}
spec: {spec}
"""


def stream(kind: str, fields: str) -> str:
    return document(kind, f"{{parentRefs: [{{name: edge}}], {fields}}}")


def grpc(rule: str) -> str:
    return document("GRPCRoute", f"{{parentRefs: [{{name: edge}}], rules: [{{{rule}}}]}}")


def outside(fields: str, *, name: str = "it") -> str:
    return document("ExternalService", f"{{{fields}}}", api="apg.mesh/v1", name=name)


def to_backend(validation: str, *, target: str = '{group: "", kind: Service, name: payment}') -> str:
    return document("BackendTLSPolicy", f"{{targetRefs: [{target}], validation: {{{validation}}}}}")


SYSTEM = "wellKnownCACertificates: System"
REF = "backendRefs: [{name: payment}]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # TCPRoute, TLSRoute
        (stream("TCPRoute", f"rules: [{{{REF}}}, {{{REF}}}]"), "spec.rules: got 2 items, want at most 1"),
        (stream("TCPRoute", "rules: [{backendRefs: []}]"), "spec.rules[0].backendRefs: got 0 items, want at least 1"),
        (
            stream("TCPRoute", "rules: [{backendRefs: [{name: payment, weight: -1}]}]"),
            "spec.rules[0].backendRefs[0].weight: got -1, want 0 to 1000000",
        ),
        (
            stream("TCPRoute", f"rules: [{{{REF}}}], hostnames: [a.example]"),
            "spec.hostnames: got a field that does not exist, want one of parentRefs, rules",
        ),
        (stream("TLSRoute", f"rules: [{{{REF}}}]"), "spec.hostnames: got nothing, want a value: this field is required"),
        (
            stream("TCPRoute", f"rules: [{{{REF}}}]"),
            "spec.parentRefs[0]: got Gateway default/edge, whose listeners (http) take no TCPRoute, want a listener for it, "
            "or a route of kind GRPCRoute or HTTPRoute",
        ),
        # GRPCRoute
        (grpc("matches: [{method: {}}]"), "spec.rules[0].matches[0].method: got an empty object, want a service, a method"),
        (
            grpc("matches: [{method: {service: 'a b'}}]"),
            'spec.rules[0].matches[0].method.service: got the text "a b", want the name of a service, such as',
        ),
        (
            grpc("matches: [{method: {type: RegularExpression, method: '('}}]"),
            'spec.rules[0].matches[0].method.method: got the text "(", want a regular expression that RE2 takes',
        ),
        (
            grpc(REF),
            "spec.rules[0].backendRefs[0]: got default/payment, which speaks http, want a service with the protocol http2",
        ),
        (
            grpc("filters: [{type: RequestMirror}]"),
            "spec.rules[0].filters[0]: got an object, want just the field requestMirror beside its type",
        ),
        # ReferenceGrant
        (
            document("ReferenceGrant", "{from: [{kind: HTTPRoute, namespace: a}], to: [{kind: Services}]}"),
            'spec.to[0].kind: got the text "Services", want Service, Secret, or ConfigMap',
        ),
        (
            document("ReferenceGrant", "{from: [{kind: HTTPRoute}], to: [{kind: Service}]}"),
            "spec.from[0].namespace: got nothing, want a value: this field is required",
        ),
        # ExternalService
        (outside("port: 443"), "spec.host: got nothing, want a value: this field is required"),
        (outside("host: 'https://a.example'"), 'spec.host: got the text "https://a.example", want a hostname'),
        (outside("host: a.example, port: 0"), "spec.port: got 0, want 1 to 65535"),
        (outside("host: a.example, protocol: HTTP"), 'spec.protocol: got the text "HTTP", want http, or http2'),
        (
            outside("host: 10.0.0.1, tls: {}"),
            "spec: got an object, want tls.sni for a host that is an address: its certificate must be for a name",
        ),
        (
            outside("host: a.example", name="payment"),
            "metadata.name: got payment, which is a registered service, want a name of its own, or that service",
        ),
        (
            outside("host: a.example, tls: {caCertificateRefs: [{name: ghost}]}"),
            "spec.tls.caCertificateRefs[0]: got default/ghost, of which no authorities are known, want authorities: ca.crt",
        ),
        # BackendTLSPolicy
        (to_backend("hostname: a.example"), "spec.validation: got an object, want caCertificateRefs or wellKnownCA"),
        (
            to_backend(f"hostname: a.example, {SYSTEM}, caCertificateRefs: [{{name: a}}]"),
            "spec.validation: got an object, want caCertificateRefs or wellKnownCACertificates: one of them",
        ),
        (
            to_backend(f"hostname: a.example, {SYSTEM}, subjectAltNames: [{{type: URI, hostname: a}}]"),
            "spec.validation.subjectAltNames[0]: got an object, want just the field uri beside its type",
        ),
        (
            to_backend(f"hostname: '*.example', {SYSTEM}"),
            'spec.validation.hostname: got the text "*.example", want a hostname',
        ),
        (
            to_backend(f"hostname: a.example, {SYSTEM}", target="{kind: Gateway, name: edge}"),
            "spec.targetRefs[0].kind: got Gateway, which BackendTLSPolicy does not fit, want one of Service",
        ),
        (
            to_backend(f"hostname: a.example, {SYSTEM}", target='{group: "", kind: Service, name: paymnt}'),
            "spec.targetRefs[0].name: got Service default/paymnt, which does not exist, want a Service of default: payment; "
            "did you mean payment?",
        ),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(text: str, wanted: str) -> None:
    assert [wanted in problem for problem in problems(text)] == [True], problems(text)

"""From any bytes to typed documents or to problems, and to nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.http_route import HTTPRoute
from policy.kinds import typed
from policy.reading import read_documents
from tests.meshes import documents, gateway, route

HEAD = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: pay}\nspec:\n"


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_documents(text.encode() if isinstance(text, str) else text, source="f")
    return [str(problem) for problem in caught.value.problems]


def one(spec: str) -> str:
    """The one problem of an HTTPRoute with this `spec` (indented by two)."""
    [problem] = problems(HEAD + spec)
    return problem.removeprefix("HTTPRoute default/pay: ")


PARENT = "  parentRefs: [{name: edge}]\n"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("  parentRefs: []\n", "spec.parentRefs: got 0 items, want at least 1"),
        (
            "  parentRefs: [{name: edge, kind: Pod}]\n",
            'spec.parentRefs[0].kind: got the text "Pod", want Gateway, or Service',
        ),
        (PARENT + "  hostnames: ['under_score']\n", 'spec.hostnames[0]: got the text "under_score", want a hostname'),
        (
            PARENT + "  rules: [{matches: [{path: {value: pay}}]}]\n",
            'spec.rules[0].matches[0].path.value: got the text "pay", want a path that begins with "/"',
        ),
        (PARENT + "  rules: [{matches: [{path: {value: /a/../b}}]}]\n", 'want a path without "/../"'),
        (
            PARENT + "  rules: [{matches: [{path: {type: RegularExpression, value: '/(a'}}]}]\n",
            "want a regular expression that RE2 takes: missing )",
        ),
        (
            PARENT + "  rules: [{matches: [{method: FETCH}]}]\n",
            'spec.rules[0].matches[0].method: got the text "FETCH", want GET, HEAD, POST',
        ),
        (
            PARENT + "  rules: [{matches: [{headers: [{name: 'a b', value: x}]}]}]\n",
            'spec.rules[0].matches[0].headers[0].name: got the text "a b", want a name of letters',
        ),
        (
            PARENT + "  rules: [{filters: [{type: URLRewrite}]}]\n",
            "want just the field urlRewrite beside its type",
        ),
        (
            PARENT + "  rules: [{timeouts: {request: 1s, backendRequest: 2s}}]\n",
            "want a backendRequest that is not longer",
        ),
        (PARENT + "  rules: [{timeouts: {request: '1 s'}}]\n", "want a duration with its unit"),
        (
            PARENT + "  rules: [{backendRefs: [{name: a, weight: 1.5}]}]\n",
            "got 1.5, want a whole number from 0 to 1000000",
        ),
        (PARENT + "  rules: [{backendRefs: [{name: a, weight: yes}]}]\n", "got true, want a whole number"),
        (PARENT + "  rules: [{backendRefs: [{name: yes}]}]\n", "got true, want a text (in quotes)"),
        (PARENT + "  rules: {}\n", "spec.rules: got an empty object, want a list"),
        (
            PARENT + "  rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a}]}]\n",
            "want backendRefs or a RequestRedirect, not both",
        ),
    ],
)
def test_each_mistake_is_named_with_its_place_and_what_would_be_right(spec: str, words: str) -> None:
    assert words in one(spec)


TLS = "tls: {certificateRefs: [{name: shop}]}"


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        ("protocol: UDP", "spec.listeners[0].protocol: got the text \"UDP\", want HTTP, HTTPS, TLS or TCP: UDP is not"),
        ("protocol: HTTPS", "want tls for the protocol HTTPS"),
        ("protocol: TLS", "want tls for the protocol TLS"),
        (f"protocol: HTTP, {TLS}", "want no tls for the protocol HTTP, or the protocol HTTPS"),
        (f"protocol: TCP, {TLS}", "want no tls for the protocol TCP, or the protocol TLS"),
        ("protocol: TCP, hostname: a.example", "want no hostname for the protocol TCP"),
        ("protocol: HTTPS, tls: {mode: Passthrough}", "want the mode Terminate for HTTPS, or the protocol TLS"),
        ("protocol: HTTPS, tls: {}", "spec.listeners[0].tls: got an empty object, want certificateRefs for the mode"),
        (
            "protocol: TLS, tls: {mode: Passthrough, certificateRefs: [{name: shop}]}",
            "want no certificateRefs for the mode Passthrough: the backend has the certificate",
        ),
        (
            f"protocol: HTTPS, {TLS}, allowedRoutes: {{kinds: [{{kind: TCPRoute}}]}}",
            "want allowedRoutes.kinds among HTTPRoute, GRPCRoute for HTTPS",
        ),
    ],
)  # fmt: skip
def test_a_listener_that_does_not_fit_its_protocol_is_refused(listener: str, words: str) -> None:
    [problem] = problems(gateway(80).replace("protocol: HTTP", listener))
    assert words in problem


def test_protocols_that_cannot_share_a_port_are_refused() -> None:
    two = gateway(80).replace("port: 80}", f"port: 80}}, {{name: tls, port: 80, protocol: HTTPS, {TLS}}}")
    [problem] = problems(two)
    assert (
        "want listeners that can share a port (HTTP; or HTTPS and TLS; one TCP), and port 80 has HTTP and HTTPS"
        in problem
    )


def test_listeners_share_neither_names_nor_places() -> None:
    for second, words in (
        ("{name: http, protocol: HTTP, port: 81}", "http is there twice"),
        ("{name: b, protocol: HTTP, port: 80}", "port 80, any host has two"),
    ):
        [problem] = problems(gateway(80).replace("port: 80}]", "port: 80}, " + second + "]"))
        assert words in problem


def test_json_is_read_as_yaml_is() -> None:
    text = route("payment-v1=3")
    [from_yaml] = read_documents(text.encode(), source="f")
    [from_json] = read_documents(json.dumps(yaml.safe_load(text)).encode(), source="f")
    assert from_json == from_yaml


def test_what_was_read_survives_being_stored() -> None:
    for document in read_documents(documents(gateway(80), route("a=1", "b=0")).encode(), source="f"):
        assert typed(document.to_document()) == document


def test_bombs_are_counted_over_all_documents_of_a_file_and_not_expanded() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(3)
    )
    assert "with its aliases expanded, want at most 100,000" in problems("---\n".join([bomb] * 60))[-1]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_and_does_not_end_the_process(opening: str) -> None:
    assert "want at most 64 levels" in problems(opening * 100_000)[-1]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        read_documents(text, source="f")
    except PolicyError as error:
        assert error.problems


def _json() -> st.SearchStrategy[Any]:
    words = st.sampled_from(["name", "port", "HTTP", "/", "", "payment", "10s", "PathPrefix", "-1"])
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
    keys = st.sampled_from(
        ["name", "parentRefs", "rules", "matches", "path", "type", "value", "backendRefs", "filters"]
    )
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@given(spec=_json())
@settings(max_examples=300, deadline=None)
def test_any_shape_of_a_document_is_read_or_refused(spec: Any) -> None:
    text = json.dumps(
        {"apiVersion": HTTPRoute.API_VERSION, "kind": "HTTPRoute", "metadata": {"name": "a"}, "spec": spec}
    )
    try:
        [document] = read_documents(text.encode(), source="f")
    except PolicyError as error:
        assert all(problem.document == "HTTPRoute default/a" for problem in error.problems)
    else:
        assert typed(document.to_document()) == document

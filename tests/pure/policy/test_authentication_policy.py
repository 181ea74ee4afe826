"""AuthenticationPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

import json
from itertools import count

import pytest

from controlplane.rendering import document_yaml
from policy.kinds import typed
from policy.secrets import mark_of
from tests.compiled import compiled, mesh, problem
from tests.shop import policy

EC = {"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}  # fmt: skip
JWKS = json.dumps({"keys": [EC]})
KEY = "0123456789abcdef"
HASH = "W6ph5Mm5Pz8GgiULbPgzG37mj9g="
FILTERS = "envoy.filters.http."


def text(spec: str, **options: str) -> str:
    return policy("AuthenticationPolicy", spec, **options)


def provider(fields: str = f"jwks: {{inline: '{JWKS}'}}", name: str = "p") -> str:
    return f"{{name: {name}, issuer: 'https://a', {fields}}}"


def jwt(*providers: str) -> str:
    return f"jwt: {{providers: [{', '.join(providers or (provider(),))}]}}"


def test_a_token_is_asked_of_its_routes_by_the_name_of_the_policy() -> None:
    made = compiled(text(jwt(provider(), provider("jwks: {url: 'https://keys.example/a?b=c'}", "q"))))
    assert made.on_route[f"{FILTERS}jwt_authn"]["requirement_name"] == "default/test"
    filter_ = made.chain[f"{FILTERS}jwt_authn"]
    wanted = [{"provider_name": "default/test/p"}, {"provider_name": "default/test/q"}]
    assert filter_["requirement_map"] == {"default/test": {"requires_any": {"requirements": wanted}}}
    assert filter_["providers"]["default/test/p"] == {
        "issuer": "https://a",
        "require_expiration": True,
        "local_jwks": {"inline_string": JWKS},
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": "payload",
        "clock_skew_seconds": 60,
    }
    remote = filter_["providers"]["default/test/q"]["remote_jwks"]
    assert remote["http_uri"] == {
        "uri": "https://keys.example/a?b=c",
        "cluster": "external/keys.example:443",
        "timeout": "5s",
    }
    assert "external/keys.example:443" in made.clusters


def test_a_filter_in_the_chain_knows_no_credentials() -> None:
    """So a route whose own configuration were lost would refuse, not admit the clients of another."""
    made = compiled(text(f"apiKeys: {{clients: [{{name: a, key: {KEY}}}]}}, basic: {{htpasswd: 'ann:{{SHA}}{HASH}'}}"))
    assert "credentials" not in made.filters[f"{FILTERS}api_key_auth"]
    assert HASH not in str(made.filters)
    assert made.on_route[f"{FILTERS}api_key_auth"]["credentials"] == [{"key": KEY, "client": "a"}]


def test_a_server_that_is_asked_fails_closed_unless_the_policy_says_otherwise() -> None:
    closed = compiled(text("external: {backendRef: {name: auth}}"))
    assert "failure_mode_allow" not in closed.chain[f"{FILTERS}ext_authz/closed"]
    assert closed.chain[f"{FILTERS}ext_authz/closed"]["status_on_error"] == {"code": "ServiceUnavailable"}
    opened = compiled(text("external: {backendRef: {name: auth}, failureMode: Open}"))
    assert opened.chain[f"{FILTERS}ext_authz/open"]["failure_mode_allow"] is True
    assert f"{FILTERS}ext_authz/closed" not in opened.chain


def test_an_anonymous_route_meets_no_filter() -> None:
    made = compiled(
        text(jwt(), name="all", target="{kind: Gateway, name: edge}"),
        text("anonymous: true", target="{kind: HTTPRoute, name: payment, sectionName: pay}"),
    )
    assert made.on_route == {}
    assert made.chain == {}


def test_a_document_is_kept_with_its_secrets_and_shown_without() -> None:
    [document] = [
        item
        for item in mesh(text(f"apiKeys: {{clients: [{{name: a, key: {KEY}}}]}}")).documents.values()
        if item.kind == "AuthenticationPolicy"
    ]
    assert KEY in document.body
    assert KEY not in document_yaml(document)
    assert mark_of(KEY) in document_yaml(document)
    assert document_yaml(document) == document_yaml(typed(document).to_document())
    assert mark_of(KEY) != mark_of(KEY + "x")


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec: got an object, want one method at least (jwt, apiKeys, basic, external, mutualTls), or anonymous: true"),
        (f"anonymous: true, {jwt()}", "spec: got an object, want anonymous or methods, not both"),
        ("jvt: {}", "spec.jvt: got a field that does not exist, want one of targetRefs, jwt, apiKeys, basic, external, mutualTls, anonymous; did you mean jwt?"),
        (jwt(provider(), provider()), "spec.jwt: got an object, want providers with names of their own, and p is there twice"),
        (jwt(provider("jwks: {}")), "spec.jwt.providers[0].jwks: got an empty object, want one of inline, url, backendRef"),
        (jwt(provider("jwks: {url: 'http://a/keys'}")), 'spec.jwt.providers[0].jwks.url: got the text "http://a/keys", want a URL with https'),
        (jwt(provider("jwks: {url: 'https://u:p@a/keys'}")), "spec.jwt.providers[0].jwks.url: got the text"),
        (jwt(provider("jwks: {url: 'https://a', cacheDuration: 0s}")), "spec.jwt.providers[0].jwks: got an object, want a cacheDuration from 1s to 24h"),
        (jwt(provider("jwks: {url: 'https://a', cacheDuration: 10}")), "spec.jwt.providers[0].jwks.cacheDuration: got 10, want a duration with its unit"),
        (jwt(provider("jwks: {url: 'https://a', caCertificates: nonsense}")), 'spec.jwt.providers[0].jwks.caCertificates: got the text "nonsense", want certificates as PEM'),
        (jwt(provider("jwks: {url: 'https://a', caCertificates: ''}")), 'spec.jwt.providers[0].jwks.caCertificates: got the text "", want certificates as PEM'),
        (jwt(provider("jwks: {inline: '{}'}")), 'spec.jwt.providers[0].jwks.inline: got a value that is kept secret, want a JWK set'),
        (jwt(provider("""jwks: {inline: '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'}""")), "spec.jwt.providers[0].jwks.inline: got a value that is kept secret, want public keys (RSA, EC or OKP), and keys[0] is a secret one"),
        (jwt(provider("""jwks: {inline: '{"keys": [{"kty": "EC", "d": "c2VjcmV0"}]}'}""")), "spec.jwt.providers[0].jwks.inline: got a value that is kept secret, want public keys (RSA, EC or OKP), and keys[0] is a secret one"),
        (jwt(provider("jwks: {backendRef: {name: auht}, path: /keys}")), "spec.jwt.providers[0].jwks.backendRef.name: got auht, which does not exist, want a service of default: auth, payment; did you mean auth?"),
        (jwt(provider("jwks: {backendRef: {name: auth}}")), "spec.jwt.providers[0].jwks: got an object, want a path beside backendRef, and only there"),
        (jwt(provider(f"jwks: {{inline: '{JWKS}'}}, from: [{{header: a, cookie: b}}]")), "spec.jwt.providers[0].from[0]: got an object, want one of header, queryParam, cookie"),
        (jwt(provider(f"jwks: {{inline: '{JWKS}'}}, clockSkew: 1h")), "spec.jwt.providers[0]: got an object, want a clockSkew from 1s to 10m"),
        ("apiKeys: {clients: [{name: a, key: short}]}", "spec.apiKeys.clients[0].key: got a value that is kept secret, want a key of 16 to 512 visible ASCII characters"),
        (f"apiKeys: {{clients: [{{name: a, key: {KEY}}}, {{name: b, key: {KEY}}}]}}", "spec.apiKeys: got an object, want keys that belong to one client each, and that of b belongs to another"),
        (f"apiKeys: {{clients: [{KEY}]}}", "spec.apiKeys.clients[0]: got a value that is kept secret, want an object"),
        (f"apiKeys: {{clients: [{{name: a, key: '{mark_of(KEY)}'}}]}}", "spec.apiKeys.clients[0].key: got a value that is kept secret, want the secret itself: this stands in its place where documents are shown"),
        ("apiKeys: {clients: []}", "spec.apiKeys.clients: got 0 items, want at least 1"),
        ("basic: {htpasswd: 'ann:$apr1$x$yyyyyyyyyyyyyyyyyyyyyy'}", "spec.basic.htpasswd: got a value that is kept secret, want a user on each line, as `htpasswd -s` writes them: NAME:{SHA}HASH (Envoy knows no other hash), and line 1 is different"),
        (f"basic: {{htpasswd: \"a:{{SHA}}{HASH}\\na:{{SHA}}{HASH}\"}}", "spec.basic.htpasswd: got a value that is kept secret, want each user once, and a is there twice"),
        ("basic: {}", "spec.basic: got an empty object, want one of htpasswd, htpasswdFile"),
        ("basic: {htpasswdFile: users}", 'spec.basic.htpasswdFile: got the text "users", want the absolute path of a file of the proxy'),
        ("external: {}", "spec.external: got an empty object, want one of backendRef, server"),
        ("external: {backendRef: {name: auth}, timeout: 2m}", "spec.external: got an object, want a timeout from 1ms to 60s"),
        ("external: {backendRef: {name: auth}, pathPrefix: /a}", "spec.external: got an object, want pathPrefix only with protocol HTTP"),
        ("external: {protocol: HTTP, backendRef: {name: auth}, context: {a: b}}", "spec.external: got an object, want context only with protocol GRPC"),
        ("external: {backendRef: {name: auth, port: 1}}", "spec.external.backendRef.port: got 1, want 9000"),
        ("external: {backendRef: {name: auth}, failureMode: open}", 'spec.external.failureMode: got the text "open", want Closed, or Open'),
        ("mutualTls: {}", "spec.targetRefs[0]: got a HTTPRoute, in a policy with mutualTls, want a Service with a Sidecar"),
        ("mutualTls: {mode: strict}", 'spec.mutualTls.mode: got the text "strict", want Strict, or Permissive'),
        ("external: {backendRef: {name: auth}, bodyBytes: 0}", "spec.external.bodyBytes: got 0, want 1 to 1048576"),
    ],
    ids=count(),  # a stand-in for a secret differs from run to run
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    assert problem(text(spec)).startswith(f"AuthenticationPolicy default/test: {wanted}")


@pytest.mark.parametrize(
    ("spec", "target", "wanted"),
    [
        (jwt(), "{kind: Service, name: payment}", "spec.targetRefs[0]: got a Service, want a Gateway or a route; only mutualTls"),
        ("mutualTls: {}", "{kind: Service, name: payment, sectionName: v1}", "spec.targetRefs[0].sectionName: got the version v1, want the whole Service"),
    ],
)  # fmt: skip
def test_a_service_is_for_mutual_tls_alone(spec: str, target: str, wanted: str) -> None:
    assert problem(text(spec, target=target)).startswith(f"AuthenticationPolicy default/test: {wanted}")

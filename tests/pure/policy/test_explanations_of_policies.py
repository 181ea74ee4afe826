"""What explanations say of attached policies. That refusals are true, a real Envoy says:
tests/real/test_explain_policies.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from policy.address_lists import Filling
from policy.authentication_policy import AuthenticationPolicy
from policy.authorization_policy import AuthorizationPolicy
from policy.cache_policy import CachePolicy
from policy.compiler.http_filters import HTTP_FILTERS
from policy.compression_policy import CompressionPolicy
from policy.errors import PolicyError
from policy.explain.explain import explain
from policy.explain.explanation import Answered, Effect, Explanation, Forwarded, NotServed
from policy.explain.filters import TELLERS
from policy.explain.policies import BY_KIND
from policy.explain.request import request
from policy.fault_policy import FaultPolicy
from policy.kinds import POLICY_KINDS
from policy.rate_limit_policy import RateLimitPolicy
from policy.running_policies import AlertPolicy, ReportPolicy, RolloutPolicy, ScalingPolicy
from policy.threat_policy import ThreatPolicy
from registry.model import ServiceKey
from tests.meshes import documents, gateway, route
from tests.pure.policy.test_compiler import mesh, service
from tests.tokens import Issuer

RUNNING = {kind.KIND for kind in (AlertPolicy, ReportPolicy, RolloutPolicy, ScalingPolicy)}
"""They do nothing to requests."""
NOW = datetime(2030, 1, 1, tzinfo=UTC)
BY_FILTERS = {
    kind.KIND
    for kind in (
        AuthenticationPolicy,
        AuthorizationPolicy,
        CachePolicy,
        CompressionPolicy,
        FaultPolicy,
        RateLimitPolicy,
        ThreatPolicy,
    )
}
SHOP = documents(gateway(8080), route("payment", path="/"))


def policy(kind: str, spec: str, *, name: str = "p", target: str = "{kind: HTTPRoute, name: payment}") -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: {kind}
metadata: {{name: {name}}}
spec: {{targetRefs: [{target}], {spec}}}
"""


def told(*policies: str, headers: dict[str, str] | None = None, method: str = "GET", **more: Any) -> Explanation:
    service_key = more.pop("service", None)
    where = mesh(*service("payment", "v1"), text=documents(SHOP, *policies))
    asked = request(method, more.pop("url", "http://shop:8080/pay"), (headers or {}).items(), **more)
    return explain(where, asked, now=NOW, service=service_key)


def words(explained: Explanation, kind: str) -> list[tuple[Effect, str]]:
    return [(step.effect, step.words) for step in explained.steps if step.stage == kind]


def test_every_filter_and_every_kind_of_policy_has_words() -> None:
    assert set(TELLERS) == {row.name for row in HTTP_FILTERS}
    assert set(BY_KIND) | BY_FILTERS | RUNNING == {kind.KIND for kind in POLICY_KINDS}
    assert not set(BY_KIND) & BY_FILTERS


def test_steps_come_in_the_order_of_the_chain_whatever_the_names() -> None:
    explained = told(
        policy("AuthorizationPolicy", "action: Allow, rules: [{methods: [GET]}]", name="a"),
        policy("RateLimitPolicy", "limits: [{requests: 10, per: 1s}]", name="b"),
        policy("AuthenticationPolicy", "apiKeys: {clients: [{name: ann, key: 0123456789abcdef}]}", name="c"),
        policy("ThreatPolicy", "patterns: [SQLInjection]", name="d"),
        policy(
            "TelemetryPolicy", "accessLog: {sinks: [{type: Stdout}]}", name="e", target="{kind: Gateway, name: edge}"
        ),
        policy("TimeoutPolicy", "request: 2s", name="f"),
        policy("FaultPolicy", "expiresAt: '2030-01-01T01:00:00Z', delay: {duration: 1s, percent: 5}", name="g"),
        headers={"x-api-key": "0123456789abcdef"},
    )
    stages = [step.stage for step in explained.steps if step.document]
    assert stages == [
        "listener",
        "TelemetryPolicy",
        "route",
        "ThreatPolicy",
        "AuthenticationPolicy",
        "AuthorizationPolicy",
        "RateLimitPolicy",
        "FaultPolicy",
        "TimeoutPolicy",
    ]
    assert isinstance(explained.outcome, Forwarded)


def test_a_refusal_ends_the_way_and_names_the_policy_the_place_and_the_reason() -> None:
    explained = told(
        policy("AuthenticationPolicy", "apiKeys: {clients: [{name: ann, key: 0123456789abcdef}]}"),
        policy("RateLimitPolicy", "limits: [{requests: 10, per: 1s}]"),
    )
    last = explained.steps[-1]
    assert (last.effect, last.words) == (Effect.REFUSES, "refused with 401: there is no API key")
    assert (last.document, last.path) == ("AuthenticationPolicy default/p", "spec.apiKeys")
    assert explained.outcome == Answered(401, "AuthenticationPolicy default/p: there is no API key")


def test_what_nobody_told_leaves_the_verdict_open_and_says_which_option_would_settle_it() -> None:
    inside = policy("AuthorizationPolicy", "action: Allow, rules: [{name: inside, addresses: [10.0.0.0/8]}]")
    [(effect, said)] = words(told(inside), "AuthorizationPolicy")
    assert effect is Effect.MAY_REFUSE
    assert said == ("refused with 403 unless the rule inside matches, which hangs on the client's address (--from)")
    assert words(told(inside, address="10.1.2.3"), "AuthorizationPolicy") == [
        (Effect.PASSES, "the rule inside allows it")
    ]
    assert words(told(inside, address="192.0.2.7"), "AuthorizationPolicy") == [
        (Effect.REFUSES, "refused with 403: no rule allows it")
    ]


def test_countries_are_as_told() -> None:
    abroad = policy("AuthorizationPolicy", "action: Deny, rules: [{countries: [FR], unless: {methods: [GET]}}]")
    assert words(told(abroad, method="POST", country="FR"), "AuthorizationPolicy")[0][0] is Effect.REFUSES
    assert words(told(abroad, method="POST"), "AuthorizationPolicy")[0][0] is Effect.MAY_REFUSE
    assert words(told(abroad, method="GET"), "AuthorizationPolicy") == [(Effect.PASSES, "no rule denies it")]


class _Feed:
    def addresses(self, name: str) -> tuple[str, ...] | None:
        return ("203.0.113.0/24",) if name == "feed.txt" else None


def test_lists_of_addresses_are_as_the_control_plane_knows_them() -> None:
    listed = policy("AuthorizationPolicy", "action: Deny, rules: [{addressLists: [feed.txt]}]")
    where = Filling(_Feed()).filled(mesh(*service("payment", "v1"), text=documents(SHOP, listed)))
    effects = [
        words(explain(where, request("GET", "http://shop:8080/", address=address), now=NOW), "AuthorizationPolicy")[0][
            0
        ]
        for address in ("203.0.113.9", "192.0.2.7", "")
    ]
    assert effects == [Effect.REFUSES, Effect.PASSES, Effect.MAY_REFUSE]


def test_an_audit_says_what_would_be() -> None:
    audited = policy("AuthorizationPolicy", "action: Deny, audit: true, rules: [{methods: [GET]}]")
    assert words(told(audited), "AuthorizationPolicy") == [
        (Effect.PASSES, "audits only: would be refused, were it enforced")
    ]


def test_tokens_are_judged_at_the_time_that_is_asked_about() -> None:
    issuer = Issuer("https://accounts.example")
    spec = f"jwt: {{providers: [{{name: a, issuer: '{issuer.name}', jwks: {{inline: '{issuer.jwks}'}}}}]}}"
    with_tokens = policy("AuthenticationPolicy", spec)
    old = {"authorization": f"Bearer {issuer.token(exp=NOW.timestamp() - 120, lifetime=None, sub='ann')}"}
    new = {"authorization": f"Bearer {issuer.token(exp=NOW.timestamp() + 1, lifetime=None, sub='ann')}"}
    assert words(told(with_tokens, headers=old), "AuthenticationPolicy") == [
        (Effect.REFUSES, "refused with 401: the token is past its end")
    ]
    assert words(told(with_tokens, headers=new), "AuthenticationPolicy") == [
        (Effect.PASSES, "a token of https://accounts.example, sub ann")
    ]


def test_keys_that_are_fetched_leave_the_signature_open() -> None:
    issuer = Issuer("https://accounts.example")
    spec = f"jwt: {{providers: [{{name: a, issuer: '{issuer.name}', jwks: {{url: 'https://accounts.example/k'}}}}]}}"
    bearer = {"authorization": f"Bearer {issuer.token(exp=NOW.timestamp() + 60, lifetime=None)}"}
    [(effect, said)] = words(told(policy("AuthenticationPolicy", spec), headers=bearer), "AuthenticationPolicy")
    assert effect is Effect.MAY_REFUSE
    assert "refused with 401 if its signature is wrong" in said


def test_limits_name_their_bucket_and_the_client() -> None:
    limits = "limits: [{name: all, requests: 500, per: 1s}, {requests: 6, per: 1m, burst: 2, each: {header: x-user}}]"
    assert words(told(policy("RateLimitPolicy", limits), headers={"x-user": "ann"}), "RateLimitPolicy") == [
        (
            Effect.MAY_REFUSE,
            "refused with 429 if the bucket default/p/all is empty: 500 requests per 1s of all requests together; "
            "each proxy counts for itself",
        ),
        (
            Effect.MAY_REFUSE,
            'refused with 429 if the bucket default/p/1 is empty: 6 requests per 1m, 2 at once of the client "ann" '
            "(the header x-user); each proxy counts for itself",
        ),
    ]


@pytest.mark.parametrize(
    ("spec", "headers", "effect", "said"),
    [
        (
            "expiresAt: '2029-12-31T00:00:00Z', abort: {status: 503}",
            {},
            Effect.PASSES,
            "over since 2029-12-31T00:00:00Z",
        ),
        (
            "expiresAt: '2030-01-01T01:00:00Z', abort: {status: 503}",
            {},
            Effect.REFUSES,
            "refused with 503: a fault on purpose",
        ),
        (
            "expiresAt: '2030-01-01T01:00:00Z', abort: {status: 503, percent: 5}",
            {},
            Effect.MAY_REFUSE,
            "5% are refused with 503: a fault on purpose",
        ),
        (
            "expiresAt: '2030-01-01T01:00:00Z', abort: {status: 503}, headers: [{name: x-test, value: a}]",
            {"x-test": "b"},
            Effect.PASSES,
            "not for requests without its header x-test",
        ),
    ],
)
def test_faults(spec: str, headers: dict[str, str], effect: Effect, said: str) -> None:
    assert words(told(policy("FaultPolicy", spec), headers=headers), "FaultPolicy") == [(effect, said)]


def test_a_body_that_nobody_told_may_hold_what_is_looked_for() -> None:
    threat = policy("ThreatPolicy", "patterns: [SQLInjection], inspect: [Body], bounds: {bodyBytes: 100}")
    attack = b"q=1' or '1'='1"
    assert words(told(threat, method="POST"), "ThreatPolicy")[-1][0] is Effect.MAY_REFUSE
    form = {"content-type": "application/x-www-form-urlencoded"}
    found = told(threat, method="POST", headers=form, body=attack)
    assert words(found, "ThreatPolicy")[-1] == (
        Effect.REFUSES,
        "refused with 403: sql-injection/tautology in body",
    )
    assert words(told(threat, method="POST", body=b"a" * 101), "ThreatPolicy") == [
        (Effect.REFUSES, "refused with 413: its body of 101 bytes is larger than 100")
    ]


def test_kinds_that_decide_nothing_say_what_they_do() -> None:
    explained = told(
        policy("BackendPolicy", "circuitBreakers: {requests: 9}", target="{kind: Service, name: payment}"),
        policy("CompressionPolicy", "encodings: [Gzip]"),
        policy("CachePolicy", "directory: /var/cache/apg"),
        policy(
            "EnvoyPatch",
            "resource: {type: Listener, name: default/edge/8080}, merge: {stat_prefix: x}",
            target="{kind: Gateway, name: edge}",
        ),
        headers={"accept-encoding": "gzip"},
    )
    said = {step.stage: (step.effect, step.words) for step in explained.steps}
    assert said["BackendPolicy"] == (Effect.MAY_REFUSE, "refused with 503 beyond 9 requests at once")
    assert said["CompressionPolicy"][1].startswith("an answer of text from 1,024 bytes on is compressed")
    assert said["CachePolicy"][1] == "a kept answer, if there is a fresh one, is given in place of the backend's"
    assert said["EnvoyPatch"] == (
        Effect.MAY_REFUSE,
        "Listener default/edge/8080 is patched, and what that does to requests cannot be told from here",
    )


SIDECAR = """
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {name: payment}
spec: {inbound: {port: 15006, application: 8080}}
"""
CALLER = "spiffe://cluster.local/ns/shop/sa/cart"


def test_at_the_sidecars_of_a_service_principals_count() -> None:
    target = "{kind: Service, name: payment}"
    from_shop = policy("AuthorizationPolicy", "action: Allow, rules: [{namespaces: [shop]}]", target=target)
    strict = policy("AuthenticationPolicy", "mutualTls: {mode: Strict}", target=target)
    plain = told(SIDECAR, from_shop, service=ServiceKey("default", "payment"))
    assert isinstance(plain.outcome, Answered)
    assert plain.outcome.status == 403
    closed = told(SIDECAR, strict, service=ServiceKey("default", "payment"))
    assert closed.outcome == NotServed(
        "the port stays closed: mutual TLS is asked for, and the service has no certificate"
    )
    nobody = told(service=ServiceKey("default", "cart"))
    assert nobody.outcome == NotServed("the service default/cart has no Sidecar")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"address": "10.0.0.0/8"}, "an IP address"),
        ({"country": "Germany"}, "ISO 3166"),
        ({"principal": "cart"}, "SPIFFE ID"),
    ],
)
def test_what_is_told_beside_the_request_is_checked(given: dict[str, str], want: str) -> None:
    with pytest.raises(PolicyError, match=want):
        request("GET", "http://shop/", **given)  # type: ignore[arg-type]

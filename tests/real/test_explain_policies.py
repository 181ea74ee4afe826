"""`explain` and a real Envoy agree on who refuses which requests, and why: documents with policies of all deciding kinds,
and requests, by hypothesis; on plain and TLS listeners."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.background import Background, in_background
from tests.explaining import OVER_TLS, SERVER_NAMES, SERVICES, Asked, Stage, gateway, http_route, response_header, stage
from tests.tokens import Issuer

EXAMPLES, REQUESTS = 10, 40
HOUR = 3_600.0

ACCOUNTS, PARTNERS = Issuer("https://accounts.test"), Issuer("https://partners.test")
KEYS = {"ann": "k-ann-0123456789abc", "bob": "k-bob-0123456789abc"}
PASSWORD = "open sesame"
ROUTES = ("r0", "r1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background[Stage]]:
    with in_background(lambda: stage(tmp_path_factory.mktemp("explain"))) as background:
        yield background


def mostly(strategy: st.SearchStrategy[Any], otherwise: Any = None) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy, st.just(otherwise))


def subset(*items: Any, least: int = 1, most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(items), min_size=least, max_size=most, unique_by=json.dumps)


# --- documents ---

FILTERS = st.sampled_from(
    [
        {
            "type": "CORS",
            "cors": {"allowOrigins": ["https://shop.test", "https://*.shop.test"], "allowMethods": ["PUT"]},
        },
        {"type": "CORS", "cors": {"allowOrigins": ["*"]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s3"}, "percent": 50}},
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-role", "value": "admin"}]}},
    ]
)
ENDS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"backendRefs": [{"name": "s0"}]},
        {"backendRefs": [{"name": "s1", "weight": 1}, {"name": "s2", "weight": 1}]},
        {"backendRefs": [{"name": "s0", "weight": 0}]},
        {"redirect": {"statusCode": 301}},
        {"redirect": {"scheme": "https"}},
        {"redirect": {"scheme": "https", "hostname": "other.test"}},
        {"redirect": {"port": 80, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}}},
        {"redirect": {"port": 8443}},
    ]
)


@st.composite
def rule(draw: st.DrawFn, route: str, number: int, path: str) -> Any:
    made: dict[str, Any] = {
        "name": f"rule-{number}",
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [response_header("x-rule", f"{route}/{number}"), *draw(st.lists(FILTERS, max_size=1))],
    }
    end: dict[str, Any] = {**draw(ENDS)}
    if (redirect := end.pop("redirect", None)) is not None:
        made["filters"] = [item for item in made["filters"] if item["type"] != "RequestMirror"]
        made["filters"].append({"type": "RequestRedirect", "requestRedirect": redirect})
    return {**made, **end}


@st.composite
def routes(draw: st.DrawFn) -> list[Any]:
    paths = [("/a", "/"), ("/b", "/a/b")]
    return [
        http_route(name, [], [draw(rule(name, number, path)) for number, path in enumerate(paths[index])])
        for index, name in enumerate(ROUTES)
    ]


def jwt_of(issuers: list[Issuer], optional: bool, more: Any) -> Any:
    providers = [
        {"name": f"p{number}", "issuer": issuer.name, "audiences": ["shop"], "jwks": {"inline": issuer.jwks}, **more}
        for number, issuer in enumerate(issuers)
    ]
    return {"providers": providers, "optional": optional}


JWT = st.builds(
    jwt_of,
    st.sampled_from([[ACCOUNTS], [PARTNERS], [ACCOUNTS, PARTNERS]]),
    st.booleans(),
    st.sampled_from(
        [
            {},
            {"claimsToHeaders": [{"claim": "role", "header": "x-role"}]},
            {"from": [{"header": "x-token"}, {"cookie": "session"}, {"queryParam": "t"}]},
            {"from": [{"queryParam": "t"}], "forward": True},
        ]
    ),
)
API_KEYS = st.fixed_dictionaries(
    {"clients": st.just([{"name": name, "key": key} for name, key in KEYS.items()])},
    optional={
        "clientHeader": st.just("x-role"),
        "from": st.sampled_from([[{"header": "x-api-key"}], [{"queryParam": "key"}, {"header": "authorization"}]]),
    },
)
DIGEST = base64.b64encode(sha1(PASSWORD.encode()).digest()).decode()
BASIC = st.just({"htpasswd": f"ann:{{SHA}}{DIGEST}"})
AUTHENTICATION = st.one_of(
    st.builds(lambda jwt: {"jwt": jwt}, JWT),
    st.builds(lambda jwt: {"jwt": jwt}, JWT),
    st.builds(lambda keys: {"apiKeys": keys}, API_KEYS),
    st.builds(lambda basic: {"basic": basic}, BASIC),
    st.builds(lambda keys, jwt: {"apiKeys": keys, "jwt": jwt}, API_KEYS, JWT),
    st.just({"anonymous": True}),
)

CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "methods": subset("GET", "POST", "OPTIONS", "HEAD"),
        "paths": subset(
            {"value": "/a"}, {"type": "Exact", "value": "/a/b"}, {"type": "RegularExpression", "value": "/b.*"}
        ),
        "headers": subset(
            {"name": "x-role", "value": "admin"},
            {"name": "X-Role", "type": "RegularExpression", "value": "a.+"},
            most=1,
        ),
        "addresses": subset("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", most=2),
        "claims": subset(
            {"name": "role", "values": ["admin"]}, {"name": "team", "within": ["org"], "values": ["blue"]}
        ),
        "principals": st.just(["spiffe://test/ns/default/sa/s0"]),
    },
).map(lambda given: dict(list(given.items())[:2]))
RULE = st.builds(
    lambda conditions, unless: conditions | ({"unless": unless} if unless else {}), CONDITIONS, st.none() | CONDITIONS
)
AUTHORIZATION = st.builds(
    lambda action, rules, audit: {"action": action, "rules": rules, "audit": audit},
    st.sampled_from(["Allow", "Deny"]),
    st.lists(RULE, min_size=1, max_size=3),
    st.sampled_from([False, False, True]),
)

BOUNDS = st.fixed_dictionaries(
    {"bodyBytes": st.sampled_from([16, 4_096])},
    optional={
        "urlBytes": st.integers(16, 40),
        "headerCount": st.integers(8, 12),
        # Far from what most requests have: a proxy adds its machine's address, which is long here and short there.
        "headerBytes": st.just(2_000),
    },
)
THREAT = st.builds(
    lambda bounds, patterns, inspect, mode: {"bounds": bounds, "patterns": patterns, "inspect": inspect, "mode": mode},
    BOUNDS,
    subset("SQLInjection", "PathTraversal", "CrossSiteScripting", least=0),
    subset("Path", "Query", "Headers", "Body", most=4),
    st.sampled_from(["Block", "Block", "Log"]),
)
FAULT = st.builds(
    lambda status, headers: (
        {"expiresAt": "2099-01-01T00:00:00Z", "longerThanADay": True, "headers": headers}
        | {"abort": {"status": status}}
    ),
    st.sampled_from([418, 503]),
    st.sampled_from([[{"name": "x-fault", "value": "1"}], [{"name": "x-role", "value": "admin"}]]),
)
TARGETS = st.sampled_from(
    [
        {"kind": "Gateway", "name": "edge"},
        {"kind": "Gateway", "name": "edge", "sectionName": "any"},
        *({"kind": "HTTPRoute", "name": name} for name in ROUTES),
        *({"kind": "HTTPRoute", "name": name, "sectionName": "rule-0"} for name in ROUTES),
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> list[Any]:
    made = []
    for kind, specs, most in (
        ("AuthenticationPolicy", AUTHENTICATION, 2),
        ("AuthorizationPolicy", AUTHORIZATION, 3),
        ("ThreatPolicy", THREAT, 2),
        ("FaultPolicy", FAULT, 1),
    ):
        for number in range(draw(st.integers(0, most))):
            target, spec = draw(TARGETS), draw(specs)
            if kind == "AuthorizationPolicy" and target["kind"] == "Gateway" and draw(st.booleans()):
                spec = {**spec, "clientAddress": {"trustedProxies": draw(st.integers(1, 2))}}
            made.append(
                {
                    "apiVersion": "apg.mesh/v1",
                    "kind": kind,
                    "metadata": {"name": f"p{number}"},
                    "spec": {"targetRefs": [target], **spec},
                }
            )
    return made


STREAMS = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1alpha2",
        "kind": "TLSRoute",
        "metadata": {"name": "sealed"},
        "spec": {
            "parentRefs": [{"name": "edge", "sectionName": "sealed"}],
            "hostnames": ["sealed.test"],
            "rules": [{"backendRefs": [{"name": OVER_TLS}]}],
        },
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1alpha2",
        "kind": "TCPRoute",
        "metadata": {"name": "plain"},
        "spec": {
            "parentRefs": [{"name": "edge", "sectionName": "tcp"}],
            "rules": [{"backendRefs": [{"name": SERVICES[1]}]}],
        },
    },
]


# --- requests ---


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


TOKENS = (
    ACCOUNTS.token(aud="shop", role="admin", lifetime=HOUR),
    ACCOUNTS.token(aud=["bank", "shop"], role=["user", "admin"], org={"team": "blue"}, lifetime=HOUR),
    PARTNERS.token(aud="shop", role="user", lifetime=HOUR),
    ACCOUNTS.token(aud="bank", lifetime=HOUR),
    ACCOUNTS.token(aud="shop", lifetime=-HOUR),
    ACCOUNTS.token(aud="shop", lifetime=None),
    Issuer(ACCOUNTS.name).token(aud="shop", role="admin", lifetime=HOUR),
    Issuer("https://nobody.test").token(aud="shop", lifetime=HOUR),
    "a.b.c",
)
TOKEN = st.sampled_from(TOKENS)
CREDENTIALS = st.one_of(
    st.just({}),
    TOKEN.map(lambda token: {"Authorization": f"Bearer {token}"}),
    TOKEN.map(lambda token: {"Authorization": f"Bearer {token}"}),
    TOKEN.map(lambda token: {"x-token": token}),
    TOKEN.map(lambda token: {"Cookie": f"a=b; session={token}"}),
    st.sampled_from([*KEYS.values(), "k-nobody-0123456789"]).map(lambda key: {"x-api-key": key}),
    st.sampled_from([*KEYS.values()]).map(lambda key: {"Authorization": f"Bearer {key}"}),
    st.builds(
        lambda key, token: {"x-api-key": key, "Authorization": f"Bearer {token}"},
        st.sampled_from([*KEYS.values()]),
        TOKEN,
    ),
    st.sampled_from([basic("ann", PASSWORD), basic("ann", "x"), basic("eve", PASSWORD), "Basic", "Basic %%"]).map(
        lambda value: {"Authorization": value}
    ),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-role": st.sampled_from(["admin", "user", "' or 1=1 --"]),
        "x-fault": st.just("1"),
        "Origin": st.sampled_from(
            ["https://shop.test", "https://a.shop.test", "https://a.b.shop.test", "https://evil.test"]
        ),
        "Access-Control-Request-Method": st.just("PUT"),
        "X-Forwarded-For": st.sampled_from(["10.1.2.3", "2001:db8::1, 10.1.2.3", "nonsense"]),
        "x-padding": st.sampled_from([1, 20, 3_000]).map("a".__mul__),
    },
)
TARGET = st.builds(
    str.__add__,
    st.sampled_from(["/", "/a", "/a/b", "/b", "/b/c", "/a/..%252f..%252fetc%252fpasswd"]),
    st.sampled_from(
        [
            "",
            "",
            "?q=shoes",
            "?q=1%27%20or%20%271%27=%271",
            "?f=../../etc/passwd",
            "?q=%3Cscript%3E",
            "?key=" + KEYS["ann"],
            f"?t={TOKENS[0]}",
        ]
    ),
)
BODIES = st.one_of(
    st.none(),
    st.sampled_from([b"", b"plain", b"q=1' or '1'='1", b'{"q": "1 union select 1,2 from users"}', b"a" * 5_000]),
)
TYPES = st.sampled_from(
    ["application/x-www-form-urlencoded", "application/json", "text/plain", "application/grpc+json"]
)


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    method = draw(st.sampled_from(["GET", "GET", "POST", "OPTIONS", "HEAD"]))
    headers, body = {**draw(CREDENTIALS), **draw(HEADERS)}, draw(BODIES) if method == "POST" else None
    if body is not None:
        headers["Content-Type"] = draw(TYPES)
        if draw(st.integers(0, 5)) == 0:
            headers["Content-Encoding"] = "compress"
    port = draw(st.sampled_from(["http", "http", "http", "https", "tcp"]))
    return Asked(method, "shop.test", draw(TARGET), headers, body, port, draw(st.sampled_from(SERVER_NAMES)))


@dataclass(frozen=True, repr=False)
class Case:
    """Documents, and what is asked of a proxy that has them; together too long to be printed."""

    documents: list[Any]
    asked: list[Asked]


CASES = st.builds(
    Case,
    st.builds(lambda *parts: [item for part in parts for item in part], routes(), policies()),
    st.lists(requests(), min_size=REQUESTS, max_size=REQUESTS),
)


def test_explain_agrees_with_a_real_envoy_on_who_refuses_hundreds_of_requests(running: Background[Stage]) -> None:
    staged = running.value
    told: list[str] = []  # a failing example would be printed as a whole, which hypothesis warns of

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(case=CASES)
    def agree(case: Case) -> None:
        async def compare() -> list[str]:
            await staged.configure([gateway(staged.ports, [], everything=True), *case.documents, *STREAMS])
            return await staged.compare(case.asked)

        if (differences := running.run(compare())) and not told:
            told.extend([yaml.safe_dump_all(case.documents), *differences])

    agree()
    assert not told, "\n".join(told)
    assert staged.compared >= 200

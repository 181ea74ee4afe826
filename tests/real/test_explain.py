"""`explain` and a real Envoy agree on where requests go: documents and requests by hypothesis, many requests a
configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.background import Background, in_background
from tests.explaining import SERVICES, Asked, Stage, gateway, http_route, response_header, stage

EXAMPLES, REQUESTS = 12, 30


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background[Stage]]:
    with in_background(lambda: stage(tmp_path_factory.mktemp("explain"))) as background:
        yield background


# --- documents: few names, so that matches collide ---

SEGMENTS = st.sampled_from(["a", "b", "ab"])
PATHS = st.lists(SEGMENTS, max_size=3).map(lambda parts: "/" + "/".join(parts))
REGEXES = st.sampled_from(["/a.*", "/(a|b)/.*", "/[ab]+", "/a/b?", "/.*/b", "/\\w+", "(?i)/A"])
VALUES = st.sampled_from([{"value": "1"}, {"value": "2"}, {"type": "RegularExpression", "value": "[0-9]+"}])
HOSTNAMES = st.lists(st.sampled_from(["shop.test", "*.test", "*.shop.test", "a.shop.test"]), max_size=2, unique=True)
METHODS = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])


@st.composite
def matches(draw: st.DrawFn, *, prefix_only: bool) -> Any:
    kind = "PathPrefix" if prefix_only else draw(st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]))
    path = draw(REGEXES if kind == "RegularExpression" else PATHS)
    if kind == "PathPrefix" and draw(st.booleans()):
        path = path.rstrip("/") + "/"
    match: dict[str, Any] = {"path": {"type": kind, "value": path}}
    if draw(st.integers(0, 3)) == 0:
        match["method"] = draw(METHODS)
    if draw(st.integers(0, 2)) == 0:
        names = draw(st.lists(st.sampled_from(["X-A", "x-b"]), min_size=1, max_size=2, unique=True))
        match["headers"] = [{"name": name, **draw(VALUES)} for name in names]
    if draw(st.integers(0, 2)) == 0:
        match["queryParams"] = [{"name": draw(st.sampled_from(["q", "r"])), **draw(VALUES)}]
    return match


@st.composite
def modifiers(draw: st.DrawFn, *, prefix: bool) -> Any:
    if prefix and draw(st.booleans()):
        return {"type": "ReplacePrefixMatch", "replacePrefixMatch": draw(st.one_of(PATHS, st.just("/b/")))}
    return {"type": "ReplaceFullPath", "replaceFullPath": draw(PATHS)}


@st.composite
def rules(draw: st.DrawFn, place: str) -> Any:
    kind = draw(st.sampled_from(["plain", "plain", "split", "none", "redirect", "rewrite"]))
    prefix = kind in ("redirect", "rewrite") and draw(st.booleans())
    rule: dict[str, Any] = {
        "matches": draw(st.lists(matches(prefix_only=prefix), min_size=1, max_size=3)),
        "filters": [response_header("x-rule", place), response_header("x-percent", "100%")],
    }
    chosen = draw(st.sampled_from(SERVICES))
    if kind == "redirect":
        given: dict[str, Any] = {"statusCode": draw(st.sampled_from([301, 302, 303, 307, 308]))}
        for name, values in (("scheme", ["https", "http"]), ("hostname", ["other.test"]), ("port", [80, 443, 8443])):
            if draw(st.booleans()):
                given[name] = draw(st.sampled_from(values))
        if draw(st.booleans()):
            given["path"] = draw(modifiers(prefix=prefix))
        rule["filters"].append({"type": "RequestRedirect", "requestRedirect": given})
        return rule
    if kind == "rewrite":
        change: dict[str, Any] = {"path": draw(modifiers(prefix=prefix))}
        if draw(st.booleans()):
            change["hostname"] = "inner.test"
        rule["filters"].append({"type": "URLRewrite", "urlRewrite": change})
    rule["backendRefs"] = {
        "split": [
            {"name": chosen, "weight": 1},
            {"name": draw(st.sampled_from(SERVICES)), "weight": draw(st.integers(0, 2))},
        ],
        "none": [{"name": chosen, "weight": 0}],
    }.get(kind, [{"name": chosen}])
    return rule


@st.composite
def routes(draw: st.DrawFn) -> list[Any]:
    count = draw(st.integers(2, 6))
    return [
        http_route(f"r{n}", draw(HOSTNAMES), [draw(rules(f"r{n}/{i}")) for i in range(draw(st.integers(1, 3)))])
        for n in range(count)
    ]


# --- requests: written as clients write them, good and bad ---

TARGETS = st.one_of(
    PATHS,
    PATHS.map(lambda path: path + "/"),
    st.sampled_from(
        ["//a", "/a//b", "/a/./b", "/b/../a", "/a/..", "/%61", "/a%2e%2e", "/a/%2E%2E/b", "/a%2Fb", "/a%5cb"]
    ),
    st.sampled_from(["/a%20b", "/A", "/a;v=1", "/a%3Fb", "/payments", "/abc", "/.", "/..", "/a/b/..", "/a/b/."]),
)
QUERIES = st.sampled_from(["", "", "?q=1", "?q=2&r=1", "?q=%31", "?q=1&q=2", "?q", "?r=12", "?Q=1", "?q=a+1"])
HOSTS = st.sampled_from(
    ["shop.test", "SHOP.test", "a.shop.test", "b.a.shop.test", "b.test", "test", "other", "shop.test:80", "127.0.0.1"]
)
HEADERS = st.dictionaries(st.sampled_from(["X-A", "x-b", "X-C"]), st.sampled_from(["1", "2", "12", "1,2"]), max_size=3)
ASKED = st.builds(
    lambda method, host, target, query, headers: Asked(method, host, target + query, headers),
    *(METHODS, HOSTS, TARGETS, QUERIES, HEADERS),
)


def test_explain_agrees_with_a_real_envoy_on_hundreds_of_requests(running: Background[Stage]) -> None:
    staged = running.value

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),  # a configuration takes half a second: too long for shrinking
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(
        hostnames=st.lists(st.sampled_from(["*.test", "shop.test"]), max_size=2, unique=True),
        documents=routes(),
        asked=st.lists(ASKED, min_size=REQUESTS, max_size=REQUESTS),
    )
    def agree(hostnames: list[str], documents: list[Any], asked: list[Asked]) -> None:
        note(yaml.safe_dump_all(documents))

        async def compare() -> list[str]:
            await staged.configure([gateway(staged.ports, hostnames), *documents])
            return await staged.compare(asked)

        told = running.run(compare())
        assert not told, "\n".join(told)

    agree()
    assert staged.compared >= 200

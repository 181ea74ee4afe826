"""`explain` and a real Envoy agree on where requests go: documents and requests by hypothesis, many requests a
configuration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from yarl import URL

from policy.explain.explain import explain
from policy.explain.explanation import Answered, Explanation, Forwarded
from policy.explain.request import request as request_of
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.background import Background, in_background
from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, running_mesh
from tests.ports import reserve_port

SERVICES = tuple(f"s{number}" for number in range(4))
EXAMPLES, REQUESTS = 12, 30


@dataclass
class Stage:
    """A gateway Envoy in front of backends that say who they are and what they saw."""

    mesh: Mesh
    port: int
    session: aiohttp.ClientSession
    configurations: int = 0
    compared: int = 0

    async def configure(self, documents: Sequence[Any]) -> None:
        """Applies `documents`, and returns once Envoy routes by them."""
        self.configurations += 1
        version = str(self.configurations)
        await self.mesh.apply(yaml.safe_dump_all([*documents, marker(version)]))

        async def routed() -> bool:
            return (await self.ask("GET", "marker.test", "/", {}))["x-version"] == version

        await eventually(routed)

    async def ask(self, method: str, host: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The answer's status, and headers by name in lower case."""
        url = URL(f"http://127.0.0.1:{self.port}{target}", encoded=True)
        sent = {**headers, "Host": host}
        async with self.session.request(method, url, headers=sent, allow_redirects=False) as response:
            return {
                "status": str(response.status),
                "x-version": "",
                **{k.lower(): v for k, v in response.headers.items()},
            }


def marker(version: str) -> Any:
    return http_route(
        "zz-marker",
        ["marker.test"],
        [{"filters": [response_header("x-version", version)], "backendRefs": [{"name": "s0"}]}],
    )


def http_route(name: str, hostnames: Sequence[str], rules: Sequence[Any]) -> Any:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "edge"}], "hostnames": list(hostnames), "rules": list(rules)},
    }


def response_header(name: str, value: str) -> Any:
    modifier = {"set": [{"name": name, "value": value}]}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        port = request.transport.get_extra_info("sockname")[1]
        seen = {"x-backend": names[port], "x-seen-host": request.headers["Host"], "x-seen-path": request.raw_path}
        return web.Response(headers=seen)

    names: dict[int, str] = {}
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        with reserve_port() as port:
            async with running_mesh(config(folder)) as mesh, aiohttp.ClientSession() as session:
                for number, name in enumerate(SERVICES):
                    await web.TCPSite(runner, "127.0.0.1", 0).start()
                    names[runner.addresses[number][1]] = f"default/{name}"
                    await mesh.add_service(name)
                    await mesh.add_endpoint(name, runner.addresses[number][1], "v1")
                staged = Stage(mesh, port, session)
                await mesh.apply(yaml.safe_dump_all([gateway(port, []), marker("0")]))
                async with running_envoy(mesh.xds_port, "default/edge", log_path=folder / "envoy.log"):
                    yield staged
    finally:
        await runner.cleanup()


def gateway(port: int, hostnames: Sequence[str]) -> Any:
    """The Gateway: a listener for any host, and more for `hostnames`, on one port."""
    listeners = [{"name": "any", "protocol": "HTTP", "port": port}]
    listeners += [
        {"name": f"host-{number}", "protocol": "HTTP", "port": port, "hostname": hostname}
        for number, hostname in enumerate(hostnames)
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}], "listeners": listeners},
    }


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
ASKED = st.tuples(METHODS, HOSTS, TARGETS, QUERIES, HEADERS)


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
    def agree(hostnames: list[str], documents: list[Any], asked: list[Any]) -> None:
        note(yaml.safe_dump_all(documents))
        running.run(compare(staged, [gateway(staged.port, hostnames), *documents], asked))

    agree()
    assert staged.compared >= 200


async def compare(staged: Stage, documents: Sequence[Any], asked: Sequence[Any]) -> None:
    known = await staged.mesh.api.List(pb.ListRequest(kind="HTTPRoute"), timeout=DEADLINE)
    names = {document["metadata"]["name"] for document in documents}
    gone = [pb.DocumentKey(kind="HTTPRoute", name=item.name) for item in known.documents if item.name not in names]
    keys = [key for key in gone if not key.name.startswith("zz-")]
    if keys:
        await staged.mesh.api.Delete(pb.DeleteRequest(documents=keys), timeout=DEADLINE)
    await staged.configure(documents)
    mesh = staged.mesh.control_plane.operations.mesh
    told = []
    for method, host, path, query, headers in asked:
        url = f"http://{host.partition(':')[0]}:{staged.port}{path}{query}"
        explained = explain(mesh, request_of(method, url, [*headers.items(), ("Host", host)]))
        answer = await staged.ask(method, host, path + query, headers)
        if (wanted := expected(explained)) != (seen := got(explained, answer)):
            told.append(f"{method} {host} {path}{query} {headers}: explained {wanted}, Envoy {seen}")
        if explained.matched is not None:
            assert answer["x-percent"] == "100%"  # as it stands, though Envoy's "%" begins a command
        staged.compared += 1
    assert not told, "\n".join(told)


def expected(explained: Explanation) -> dict[str, object]:
    matched = explained.matched
    rule = f"{matched.document.rpartition('/')[2]}/{matched.rule}" if matched is not None else None
    match explained.outcome:
        case Forwarded(backends, host, path):
            names = {share.backend for share in backends}
            return {"status": "200", "rule": rule, "backends": names, "host": host, "path": path}
        case Answered(status, _, location):
            return {"status": str(status), "rule": rule, "location": location}
        case other:
            raise AssertionError(other)


def got(explained: Explanation, answer: Mapping[str, str]) -> dict[str, object]:
    seen: dict[str, object] = {"status": answer["status"], "rule": answer.get("x-rule")}
    if isinstance(explained.outcome, Answered):
        return seen | {"location": answer.get("location", "")}
    backends = (
        {share.backend for share in explained.outcome.backends} if isinstance(explained.outcome, Forwarded) else set()
    )
    backend = answer.get("x-backend")
    served = backends if backend in backends else {backend}
    return seen | {"backends": served, "host": answer.get("x-seen-host"), "path": answer.get("x-seen-path")}

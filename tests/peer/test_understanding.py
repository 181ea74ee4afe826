"""What the admin API and the command line tell about a mesh: explanations, origins, findings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import apg_async, apg_up
from tests.meshes import documents, gateway, route


@pytest.fixture(scope="module")
def text() -> bytes:
    return documents(gateway(8080), route("payment", path="/pay")).encode()


async def test_a_request_is_explained_to_people_and_to_programs(tmp_path: Path, text: bytes) -> None:
    async with apg_up(tmp_path) as addresses:
        admin = addresses["admin"]
        assert (await apg_async("service", "add", "payment", APG_ADMIN=admin)).code == 0
        applied = await apg_async("apply", "-f", "-", stdin=text, APG_ADMIN=admin)
        assert applied.code == 0, applied.err
        shown = await apg_async("explain", "get", "http://shop:8080/pay", "-H", "x-a: 1", APG_ADMIN=admin)
        assert "✓ route: the path is /pay or below it HTTPRoute default/payment: spec.rules[0].matches[0]" in shown.out
        assert "✗ backend: default/payment has no endpoints: 503" in shown.out
        answer = await apg_async("-o", "json", "explain", "GET", "http://shop:8080/", APG_ADMIN=admin)
        assert json.loads(answer.out)["answered"]["status"] == 404
        wrong = await apg_async("explain", "GET", "/pay", APG_ADMIN=admin)
        assert wrong.code == 3
        assert 'got "/pay", want an absolute URL' in wrong.err
        assert (await apg_async("explain", "GET", "http://shop/", "--gateway", "a/b/c", APG_ADMIN=admin)).code == 3
        assert (await apg_async("explain", "GET", "http://shop/", "-H", "x", APG_ADMIN=admin)).code == 2


GUARD = """
apiVersion: apg.mesh/v1
kind: AuthorizationPolicy
metadata: {name: guard}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  action: Deny
  rules: [{name: outside, unless: {addresses: [10.0.0.0/8]}}, {name: abroad, countries: [FR]}]
---
apiVersion: apg.mesh/v1
kind: ThreatPolicy
metadata: {name: net}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  patterns: [SQLInjection]
  inspect: [Body]
  bounds: {bodyBytes: 1000}
"""


async def test_where_a_request_comes_from_and_what_it_holds_decide_who_refuses_it(tmp_path: Path, text: bytes) -> None:
    async with apg_up(tmp_path) as addresses:
        admin, body = addresses["admin"], tmp_path / "body"
        body.write_text("q=1' or '1'='1")
        assert (await apg_async("service", "add", "payment", APG_ADMIN=admin)).code == 0
        applied = await apg_async("apply", "-f", "-", stdin=text + b"---" + GUARD.encode(), APG_ADMIN=admin)
        assert applied.code == 0, applied.err

        async def explained(*options: str) -> tuple[int, str]:
            shown = await apg_async("explain", "POST", "http://shop/pay", *options, APG_ADMIN=admin)
            return shown.code, shown.out + shown.err

        outside = (await explained("--from", "192.0.2.7"))[1]
        assert "✗ AuthorizationPolicy: refused with 403: the rule outside denies it" in outside
        assert (
            "? AuthorizationPolicy: refused with 403 if the rule abroad matches, which hangs on its country"
            in (await explained())[1]
        )
        inside = (await explained("--from", "10.0.0.1", "--country", "DE", "--data", "q=shoes"))[1]
        assert "✓ AuthorizationPolicy: no rule denies it" in inside
        found = (await explained("--from", "10.0.0.1", "--data", f"@{body}"))[1]
        assert "✗ ThreatPolicy: refused with 403: sql-injection/tautology in body" in found
        assert await explained("--data", f"@{tmp_path}/none") == (
            2,
            f"apg: --data: {tmp_path}/none: No such file or directory\n",
        )
        both = await explained("--gateway", "edge", "--service", "payment")
        assert (both[0], '"payment" beside a gateway' in both[1]) == (3, True)
        assert "the service default/payment has no Sidecar" in (await explained("--service", "payment"))[1]
        assert "want an IP address" in (await explained("--from", "here"))[1]


async def test_what_a_resource_comes_from_and_what_is_worth_a_look(tmp_path: Path, text: bytes) -> None:
    async with apg_up(tmp_path) as addresses:
        admin = addresses["admin"]
        for name in ("payment", "lonely"):
            assert (await apg_async("service", "add", name, APG_ADMIN=admin)).code == 0
        assert (await apg_async("apply", "-f", "-", stdin=text, APG_ADMIN=admin)).code == 0

        shown = await apg_async("why", "default/edge", "default/edge/8080", "--type", "rds", APG_ADMIN=admin)
        assert "RouteConfiguration default/edge/8080" in shown.out
        assert "HTTPRoute default/payment: spec.rules[0].matches[0]" in shown.out
        answer = json.loads(
            (await apg_async("-o", "json", "why", "default/edge", "default/payment", APG_ADMIN=admin)).out
        )
        assert [item["type_url"].rpartition(".")[2] for item in answer["resources"]] == [
            "Cluster",
            "ClusterLoadAssignment",
        ]
        for wrong in (("nobody", "default/payment"), ("default/edge", "nothing")):
            assert (await apg_async("why", *wrong, APG_ADMIN=admin)).code == 5

        looked = await apg_async("analyze", APG_ADMIN=admin)
        assert "error HTTPRoute default/payment: spec.rules[0].backendRefs[0] (no-endpoints)" in looked.out
        assert "info Service default/lonely (unrouted)" in looked.out
        assert (await apg_async("analyze", "--fail-on", "error", APG_ADMIN=admin)).code == 3
        found = json.loads((await apg_async("-o", "json", "analyze", APG_ADMIN=admin)).out)["findings"]
        assert {item["check"] for item in found} == {"no-endpoints", "unrouted"}

        shadow = route("payment", name="second", path="/pay").encode()
        planned = await apg_async("plan", "-f", "-", stdin=shadow, APG_ADMIN=admin)
        assert "warning HTTPRoute default/second: spec.rules[0].matches[0]: no request gets here" in planned.out

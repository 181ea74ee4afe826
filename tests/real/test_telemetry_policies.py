"""TelemetryPolicy through a real Envoy: log lines and what a collector gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.conditions import eventually
from tests.meshes import route
from tests.otlp import Collector, running_collector
from tests.shop import Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("telemetry-policies")]

GATEWAY = "{kind: Gateway, name: edge}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Shop, Collector]]:
    async with (
        running_shop(tmp_path_factory.mktemp("shop")) as shop,
        running_collector() as collector,
    ):
        await shop.mesh.add_service("otel", protocol=pb.PROTOCOL_HTTP2)
        await shop.mesh.add_endpoint("otel", collector.port, "v1")
        yield shop, collector


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: tuple[Shop, Collector]) -> Shop:
    await running[0].reset()
    return running[0]


@pytest_asyncio.fixture(loop_scope="module")
async def collector(running: tuple[Shop, Collector]) -> Collector:
    running[1].spans.clear()
    running[1].records.clear()
    return running[1]


async def lines(shop: Shop, path: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a log, once there are so many; they are written every second, and when files are opened anew."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def written() -> list[dict[str, Any]] | None:
        async with shop.session.post(f"http://{shop.envoy.admin_address}/reopen_logs"):
            found = read()
        return found if len(found) >= count else None

    return await eventually(written)


async def apply(shop: Shop, spec: str) -> None:
    await shop.apply(policy("TelemetryPolicy", spec, target=GATEWAY))


async def test_each_request_is_a_line_of_json(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    fields = "[{name: user, requestHeader: x-user}, {name: kind, responseHeader: content-type}, {name: env, value: 100% test}]"
    await apply(shop, f"accessLog: {{sinks: [{{type: File, path: {log}}}], fields: {fields}}}")
    await shop.request("/pay?secret=1", headers={"x-user": "ann"})
    await shop.request("/two", method="POST")
    first, second = await lines(shop, log, 2)
    assert first.pop("time").startswith("20")
    assert first.pop("duration_ms") >= 0
    assert len(first.pop("request_id")) == 36
    assert first.pop("client")
    sizes = first.pop("bytes_received"), first.pop("bytes_sent")
    assert sizes[0] == 0 < sizes[1]
    assert first.pop("user_agent").startswith("Python")
    assert first == {
        "log": "access",
        "method": "GET",
        "host": "127.0.0.1",
        "path": "/pay",
        "protocol": "HTTP/1.1",
        "status": 200,
        "details": "via_upstream",
        "flags": "-",
        "route": "HTTPRoute default/payment rule 0 match 0",
        "cluster": "default/payment",
        "upstream": f"127.0.0.1:{shop.payment.port}",
        "user": "ann",
        "kind": "application/json; charset=utf-8",
        "env": "100% test",
    }
    assert (second["method"], second["path"], "user" in second) == ("POST", "/two", False)


async def test_a_minimum_leaves_out_what_went_well(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    await apply(shop, f"accessLog: {{sinks: [{{type: File, path: {log}}}], minimumStatus: 500}}")
    shop.payment.statuses(200, 404, 500)
    for path in ("/fine", "/missing", "/broken"):
        await shop.request(path)
    [line] = await lines(shop, log, 1)
    assert (line["path"], line["status"]) == ("/broken", 500)


async def test_lines_go_to_the_proxys_output(shop: Shop) -> None:
    await apply(shop, "accessLog: {sinks: [{type: Stdout}]}")
    await shop.request("/to-stdout")
    await eventually(lambda: '"path":"/to-stdout"' in shop.envoy.log_path.read_text())


async def test_a_collector_gets_log_records(shop: Shop, collector: Collector) -> None:
    await apply(shop, "accessLog: {sinks: [{type: OTLP, collector: {backendRef: {name: otel}}}]}")
    await shop.request("/pay")
    [record] = await eventually(lambda: collector.records)
    assert (record["log"], record["path"], record["status"]) == ("access", "/pay", "200")


async def test_a_collector_gets_spans_of_a_share_of_the_requests(shop: Shop, collector: Collector) -> None:
    await apply(
        shop,
        "tracing: {backendRef: {name: otel}, serviceName: shop-edge, sampling: 100, "
        "tags: [{name: user, requestHeader: x-user}, {name: env, value: test}]}",
    )
    for _ in range(5):  # Envoy sends five spans at once, or waits for more
        await shop.request("/pay", headers={"x-user": "ann"})
    spans = await eventually(lambda: [span for span in collector.spans if span.get("user") == "ann"])
    assert {(span["service.name"], span["env"]) for span in spans} == {("shop-edge", "test")}
    traced = {request.headers["traceparent"].split("-")[1] for request in shop.payment.requests}
    assert {span["trace_id"] for span in spans} <= traced
    shop.payment.requests.clear()
    await apply(shop, "tracing: {backendRef: {name: otel}, sampling: 0}")
    await shop.request("/pay")
    assert shop.payment.requests[0].headers["traceparent"].endswith("-00")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await shop.request("/pay", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert shop.payment.requests[1].headers["traceparent"].startswith(f"00-{trace}-")
    assert shop.payment.requests[1].headers["traceparent"].endswith("-00"), "though its client asked for it"


async def test_a_rule_is_traced_more_than_its_gateway_and_with_tags_of_its_own(
    shop: Shop, collector: Collector
) -> None:
    await apply(shop, "tracing: {backendRef: {name: otel}, sampling: 0, tags: [{name: place, value: edge}]}")
    own = "tracing: {sampling: 100, tags: [{name: place, value: rule}]}"
    await shop.apply(policy("TelemetryPolicy", own, target="{kind: HTTPRoute, name: payment}", name="rule"))
    for _ in range(5):
        await shop.request("/traced")
    assert {request.headers["traceparent"][-2:] for request in shop.payment.requests} == {"01"}
    assert await eventually(lambda: [span for span in collector.spans if span.get("place") == "rule"])
    await shop.apply(
        policy("TelemetryPolicy", "tracing: {sampling: 0}", target="{kind: HTTPRoute, name: payment}", name="rule")
    )
    shop.payment.requests.clear()
    await shop.request("/untraced")
    assert shop.payment.requests[0].headers["traceparent"].endswith("-00")


async def test_the_audit_log_has_denials_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await apply(shop, f"auditLog: {{sinks: [{{type: File, path: {log}}}]}}")
    await shop.apply(
        policy("AuthorizationPolicy", "action: Deny, rules: [{name: f, paths: [{value: /forbidden}]}]", target=GATEWAY),
        policy("FaultPolicy", 'expiresAt: "2099-01-01T00:00:00Z", longerThanADay: true, abort: {status: 403}, '
               "headers: [{name: x-chaos, value: fault}]", name="fault"),
        policy("RateLimitPolicy", "limits: [{requests: 1, per: 1h, each: {header: x-user}}]", name="limit"),
    )  # fmt: skip
    shop.payment.statuses(403)  # the backend's own refusals are not the mesh's
    await shop.request("/backend", headers={"x-user": "one"})
    await shop.request("/forbidden", headers={"x-user": "two"})
    await shop.request("/", headers={"x-user": "three", "x-chaos": "fault"})
    assert (await shop.request("/limited", headers={"x-user": "ann"})).status == 403
    assert (await shop.request("/limited", headers={"x-user": "ann"})).status == 429
    denials = await lines(shop, log, 2)
    assert [(line["path"], line["status"]) for line in denials] == [("/forbidden", 403), ("/limited", 429)]
    assert denials[0]["details"].startswith("rbac_access_denied")
    assert {line["log"] for line in denials} == {"audit"}


async def test_grpc_calls_that_are_denied_are_in_it_too(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await apply(shop, f"auditLog: {{sinks: [{{type: File, path: {log}}}]}}")
    await shop.apply(
        policy("AuthorizationPolicy", "action: Deny, rules: [{name: f, paths: [{value: /forbidden}]}]", target=GATEWAY)
    )
    await shop.request("/forbidden", method="POST", headers={"content-type": "application/grpc"})
    [line] = await lines(shop, log, 1)
    assert (line["path"], line["grpc_status"]) == ("/forbidden", "PERMISSION_DENIED")


async def test_details_say_why_an_answer_is_as_it_is(shop: Shop, tmp_path: Path) -> None:
    """As docs/policies/authorization.md has them for refusals."""
    log = tmp_path / "access.log"
    await apply(shop, f"accessLog: {{sinks: [{{type: File, path: {log}}}]}}")
    await shop.mesh.add_service("nobody")
    await shop.apply(
        policy("AuthorizationPolicy", "action: Deny, rules: [{name: admin, paths: [{value: /admin}]}, "
               "{paths: [{value: /second}]}]", name="no-admin"),
        policy("AuthorizationPolicy", "action: Allow, rules: [{methods: [GET]}]", name="reads"),
        policy("FaultPolicy", 'expiresAt: "2999-01-01T00:00:00Z", longerThanADay: true, abort: {status: 418}, '
               "headers: [{name: x-chaos, value: fault}]", name="fault"),
        route("nobody", name="nobody", path="/nobody"),
    )  # fmt: skip
    wanted = {
        "/pay": (200, "via_upstream"),
        "/admin": (403, "rbac_access_denied_matched_policy[default/no-admin/admin]"),
        "/second": (403, "rbac_access_denied_matched_policy[default/no-admin/1]"),
        "/write": (403, "rbac_access_denied_matched_policy[none]"),
        "/chaos": (418, "fault_filter_abort"),
        "/nobody": (503, "no_healthy_upstream"),
    }
    for path in wanted:
        headers = {"x-chaos": "fault"} if path == "/chaos" else {}
        await shop.request(path, method="POST" if path == "/write" else "GET", headers=headers)
    found = {line["path"]: (line["status"], line["details"]) for line in await lines(shop, log, len(wanted))}
    assert found == wanted

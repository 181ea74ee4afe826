"""RateLimitPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled import compiled, problem
from tests.shop import policy
from xds.quotas import Limit, parsed_bucket

MARK, QUOTA = "envoy.filters.http.rate_limit_quota/1-bucket", "envoy.filters.http.rate_limit_quota/2-share"
LOCAL, SERVICE = "envoy.filters.http.local_ratelimit", "envoy.filters.http.ratelimit"
ASKING = "scope: Service, service: {backendRef: {name: auth}}"


def text(spec: str, **options: str) -> str:
    return policy("RateLimitPolicy", spec, **options)


def entry(key: str, value: str = "") -> dict[str, str]:
    return {"key": key, "value": value} if value else {"key": key}


WHICH = entry("limit", "default/test/0")
GENERIC = {"generic_key": {"descriptor_key": "limit", "descriptor_value": "default/test/0"}}


@pytest.mark.parametrize(
    ("each", "descriptors", "actions"),
    [
        ("", [[WHICH]], [GENERIC]),
        (
            "header: x-client",
            [[WHICH], [WHICH, entry("client")]],
            [GENERIC, {"request_headers": {"header_name": "x-client", "descriptor_key": "client", "skip_if_absent": True}}],
        ),
        (
            "sourceAddress: true",
            [[WHICH, entry("masked_remote_address")]],
            [GENERIC, {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}],
        ),
        (
            "claim: sub",
            [[WHICH], [WHICH, entry("client")]],
            [
                GENERIC,
                {
                    "metadata": {
                        "descriptor_key": "client",
                        "metadata_key": {"key": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, {"key": "sub"}]},
                        "skip_if_absent": True,
                    }
                },
            ],
        ),
    ],
)  # fmt: skip
def test_a_limit_in_envoys_words(each: str, descriptors: list[Any], actions: list[Any]) -> None:
    limit = "requests: 10, per: 1m, burst: 5" + (f", each: {{{each}}}" if each else "")
    made = compiled(text(f"limits: [{{{limit}}}]"))
    bucket = {"max_tokens": 5, "tokens_per_fill": 10, "fill_interval": "60s"}
    assert made.chain[LOCAL]["descriptors"] == [{"entries": entries, "token_bucket": bucket} for entries in descriptors]
    assert made.route["route"]["rate_limits"] == [{"actions": actions}]
    assert list(made.on_route) == [LOCAL]


def test_a_service_is_told_the_limit_and_fails_closed() -> None:
    made = compiled(text(f"{ASKING}, limits: [{{requests: 10, per: 1m}}]"))
    assert made.on_route[SERVICE]["rate_limits"] == [
        {"actions": [GENERIC], "limit": {"rate_limit": {"requests_per_unit": 10, "unit": "MINUTE"}}}
    ]
    assert made.chain[SERVICE]["failure_mode_deny"] is True
    assert "rate_limits" not in made.route["route"]
    assert "default/auth" in made.clusters


def test_a_fleets_limit_is_told_by_the_control_plane_and_kept_by_each_proxy_meanwhile() -> None:
    made = compiled(text("scope: Fleet, limits: [{name: all, requests: 90, per: 1m}]"))
    assert list(made.chain) == [MARK, QUOTA, LOCAL]
    assert set(made.on_route) == {MARK, QUOTA, LOCAL}
    [mutation] = made.on_route[MARK]["mutations"]["request_mutations"]
    bucket = mutation["append"]["header"]["value"]
    assert parsed_bucket(bucket) == ("default/test/all", Limit(requests=90, milliseconds=60_000, burst=2))
    assert mutation["append"]["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert made.chain[QUOTA]["domain"] == "default/edge/80"
    [descriptor] = made.chain[LOCAL]["descriptors"]
    assert descriptor["token_bucket"] == {"max_tokens": 2, "tokens_per_fill": 90, "fill_interval": "60s"}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec.limits: got nothing, want a value: this field is required"),
        ("limits: []", "spec.limits: got 0 items, want at least 1"),
        ("limits: [{requests: 0, per: 1s}]", "spec.limits[0].requests: got 0, want 1 to 1000000000"),
        ("limits: [{requests: 1, per: 10}]", "spec.limits[0].per: got 10, want a duration with its unit"),
        ("limits: [{requests: 1, per: 10ms}]", "spec.limits[0]: got an object, want a time from 1s to 24h in per"),
        ("limits: [{requests: 1, per: 1s, bursts: 2}]", "spec.limits[0].bursts: got a field that does not exist, want one of name, requests, per, burst, each; did you mean burst?"),
        ("limits: [{requests: 1, per: 1s, each: {}}]", "spec.limits[0].each: got an empty object, want one of header, claim, sourceAddress: true"),
        ("limits: [{requests: 1, per: 1s, each: {header: a, claim: b}}]", "spec.limits[0].each: got an object, want one of header, claim"),
        ("limits: [{requests: 1, per: 1s, each: {header: 'a b'}}]", 'spec.limits[0].each.header: got the text "a b", want a name of letters'),
        ("limits: [{name: a, requests: 1, per: 1s}, {name: a, requests: 1, per: 1s}]", "spec: got an object, want limits with names of their own, and a is there twice"),
        ("scope: Service, limits: [{requests: 1, per: 1s}]", "spec: got an object, want a service beside scope: Service, and only there"),
        ("scope: Global, limits: [{requests: 1, per: 1s}]", 'spec.scope: got the text "Global", want Proxy, Fleet, or Service'),
        ("scope: Fleet, limits: [{requests: 1, per: 1s, each: {header: a}}]", "spec: got an object, want one limit, without each, with scope: Fleet: a service counts clients for all proxies"),
        ("scope: Fleet, limits: [{requests: 1, per: 1s}, {requests: 1, per: 1m}]", "spec: got an object, want one limit, without each, with scope: Fleet"),
        (f"{ASKING}, limits: [{{requests: 1, per: 10s}}]", "spec: got an object, want per as one of 1s, 1m, 1h, 24h with scope: Service, and limits[0] has another"),
        (f"{ASKING}, limits: [{{requests: 1, per: 1s, burst: 2}}]", "spec: got an object, want no burst with scope: Service"),
        ("scope: Service, service: {}, limits: [{requests: 1, per: 1s}]", "spec.service: got an empty object, want one of backendRef, server"),
        ("scope: Service, service: {backendRef: {name: limiter}}, limits: [{requests: 1, per: 1s}]", "spec.service.backendRef.name: got limiter, which does not exist"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    assert problem(text(spec)).startswith(f"RateLimitPolicy default/test: {wanted}")


def test_two_services_are_one_too_many_on_a_chain() -> None:
    other = ASKING.replace("}}", "}, timeout: 1s}")
    limit = "limits: [{requests: 1, per: 1s}]"
    found = problem(
        text(f"{ASKING}, {limit}", name="a"),
        text(f"{other}, {limit}", name="b", target="{kind: Gateway, name: edge}"),
    )
    assert found == (
        "RateLimitPolicy default/b: spec.service: got another server, timeout or failureMode, want the same server, "
        "timeout and failureMode as in RateLimitPolicy default/a; domains may differ"
    )

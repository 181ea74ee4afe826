"""Redirects that lead to themselves, and those that look alike and do not."""

from __future__ import annotations

import pytest

from tests.mistakes import document, told


@pytest.mark.parametrize(
    ("path", "redirect", "loops"),
    [
        ("{value: /}", "{}", True),
        ("{value: /}", "{scheme: http}", True),  # the listener's port is what http is known for
        ("{value: /}", "{scheme: https}", False),
        ("{value: /}", "{port: 8443}", False),
        ("{value: /}", "{hostname: a.example}", True),
        ("{value: /}", "{hostname: b.example}", False),
        ("{value: /}", "{path: {type: ReplaceFullPath, replaceFullPath: /new}}", True),
        ("{value: /old}", "{path: {type: ReplaceFullPath, replaceFullPath: /new}}", False),
        ("{value: /a}", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /a/b}}", True),
        ("{value: /a}", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /ab}}", False),
        ("{type: Exact, value: /a}", "{path: {type: ReplaceFullPath, replaceFullPath: /a}}", True),
        ("{type: RegularExpression, value: '/a.*'}", "{path: {type: ReplaceFullPath, replaceFullPath: /b}}", False),
        ("{type: RegularExpression, value: '/a.*'}", "{path: {type: ReplaceFullPath, replaceFullPath: /ab}}", True),
    ],
)
def test_a_redirect_that_leads_back_to_its_rule_is_worth_a_warning(path: str, redirect: str, loops: bool) -> None:
    rule = f"{{matches: [{{path: {path}}}], filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]}}"
    spec = f"{{parentRefs: [{{name: edge}}], hostnames: [a.example], rules: [{rule}]}}"
    warnings = [line for line in told(document("HTTPRoute", spec)) if "leads back to it" in line]
    assert [line.startswith("warning: HTTPRoute default/it: spec.rules[0].matches[0]") for line in warnings] == [
        True
    ] * loops


def test_an_upgrade_to_https_loops_where_its_listener_is_the_usual_one_for_https() -> None:
    rule = "{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}"
    route = document("HTTPRoute", f"{{parentRefs: [{{name: tls}}], rules: [{rule}]}}")
    gateway = document(
        "Gateway",
        "{listeners: [{name: plain, protocol: HTTP, port: 8080}, {name: secure, protocol: HTTPS, port: 443, "
        "tls: {certificateRefs: [{name: shop}]}}]}",
        "tls",
    )
    [warning] = [line for line in told(f"{gateway}---\n{route}") if "leads back to it" in line]
    assert "on the listener secure, without end; attach the route to another listener" in warning

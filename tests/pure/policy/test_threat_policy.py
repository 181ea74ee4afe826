"""ThreatPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

import pytest

from tests.compiled import compiled, problem
from tests.shop import policy

SCRIPT, BUFFER = "envoy.filters.http.lua/threats", "envoy.filters.http.buffer"


def text(spec: str, **options: str) -> str:
    return policy("ThreatPolicy", spec, **options)


def test_the_script_stands_in_the_chain_once_and_a_route_says_what_to_look_for() -> None:
    made = compiled(text("patterns: [SQLInjection], skipHeaders: [X-Query], bounds: {headerCount: 50}"))
    assert made.on_route == {
        SCRIPT: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute",
            "name": "threats",
            "filter_context": {
                "name": "default/test",
                "mode": "Block",
                "patterns": ["SQLInjection"],
                "inspect": ["Path", "Query", "Headers"],
                "skip_headers": ["x-query"],
                "header_count": 50.0,
            },
        }
    }
    assert "function envoy_on_request" in made.chain[SCRIPT]["source_codes"]["threats"]["inline_string"]
    assert BUFFER not in made.chain


def test_a_bound_for_bodies_alone_needs_no_script() -> None:
    made = compiled(text("bounds: {bodyBytes: 1000}"))
    assert SCRIPT not in made.chain
    assert made.on_route[BUFFER]["buffer"] == {"max_request_bytes": 1000}


def test_bodies_are_bounded_before_they_are_read() -> None:
    made = compiled(text("bounds: {bodyBytes: 1000}, patterns: [SQLInjection], inspect: [Body]"))
    assert [name for name in made.chain if name in (BUFFER, SCRIPT)] == [BUFFER, SCRIPT]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec: got an object, want patterns or bounds, one at least"),
        ("bounds: {}", "spec: got an object, want patterns or bounds, one at least"),
        ("pattern: [SQLInjection]", "spec.pattern: got a field that does not exist, want one of targetRefs, mode, bounds, patterns, inspect, skipHeaders; did you mean patterns?"),
        ("patterns: [XSS]", 'spec.patterns[0]: got the text "XSS", want SQLInjection, PathTraversal, or CrossSiteScripting'),
        ("patterns: [SQLInjection, SQLInjection]", "spec: got an object, want each of patterns once"),
        ("patterns: [SQLInjection], inspect: []", "spec.inspect: got 0 items, want at least 1"),
        ("patterns: [SQLInjection], inspect: [body]", 'spec.inspect[0]: got the text "body", want Path, Query, Headers, or Body'),
        ("patterns: [SQLInjection], inspect: [Body]", "spec: got an object, want bounds.bodyBytes of 131072 at most beside inspect: [Body], or what is beyond would pass unseen"),
        ("patterns: [SQLInjection], inspect: [Body], bounds: {bodyBytes: 200000}", "spec: got an object, want bounds.bodyBytes of 131072 at most"),
        ("bounds: {bodyBytes: 1MB}", 'spec.bounds.bodyBytes: got the text "1MB", want a whole number from 1 to 1073741824'),
        ("bounds: {bodyBytes: 0}", "spec.bounds.bodyBytes: got 0, want 1 to 1073741824"),
        ("bounds: {urlBytes: 100000}", "spec.bounds.urlBytes: got 100000, want 16 to 65536"),
        ("bounds: {headerCount: 1}", "spec.bounds.headerCount: got 1, want 8 to 1000"),
        ("bounds: {headerBytes: 10}", "spec.bounds.headerBytes: got 10, want 256 to 65536"),
        ("patterns: [SQLInjection], mode: Report", 'spec.mode: got the text "Report", want Block, or Log'),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    assert problem(text(spec)).startswith(f"ThreatPolicy default/test: {wanted}")

"""AuthorizationPolicy: what it compiles to, and what helps whoever wrote a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled import Compiled, compiled, problem
from tests.shop import policy

DENY, ALLOW = "envoy.filters.http.rbac/1-deny", "envoy.filters.http.rbac/2-allow"
EDGE = "{kind: Gateway, name: edge}"


def text(spec: str, **options: str) -> str:
    return policy("AuthorizationPolicy", spec, **options)


def rules(made: Compiled, name: str = DENY, field: str = "rules") -> dict[str, Any]:
    """The principals of each rule."""
    found = made.on_route[name]["rbac"].get(field, {})
    return {key: value["principals"] for key, value in found.get("policies", {}).items()}


def header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"name": name, "string_match": {"exact": value}}}


def claim(*path: str, value: dict[str, Any]) -> dict[str, Any]:
    segments = [{"key": key} for key in ("payload", *path)]
    matcher = {"filter": "envoy.filters.http.jwt_authn", "path": segments, "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher}}


@pytest.mark.parametrize(
    ("rule", "principal"),
    [
        ("{}", {"any": True}),
        ("{methods: [GET]}", header(":method", "GET")),
        ("{methods: [GET, PUT]}", {"or_ids": {"ids": [header(":method", "GET"), header(":method", "PUT")]}}),
        ("{addresses: [10.0.0.0/8]}", {"remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}}),
        ("{addresses: [192.0.2.1]}", {"remote_ip": {"address_prefix": "192.0.2.1", "prefix_len": 32}}),
        ("{countries: [DE]}", header("x-apg-country", "DE")),
        ("{principals: ['spiffe://m/ns/a/sa/b']}", {"authenticated": {"principal_name": {"exact": "spiffe://m/ns/a/sa/b"}}}),
        ("{principals: ['spiffe://m/ns/a/*']}", {"authenticated": {"principal_name": {"prefix": "spiffe://m/ns/a/"}}}),
        ("{namespaces: [a, b]}", {"authenticated": {"principal_name": {"safe_regex": {"regex": "spiffe://[^/]+/ns/(a|b)/.+"}}}}),
        ("{paths: [{type: Exact, value: /a}]}", {"url_path": {"path": {"exact": "/a"}}}),
        ("{paths: [{value: /a/}]}", {"or_ids": {"ids": [{"url_path": {"path": {"exact": "/a"}}}, {"url_path": {"path": {"prefix": "/a/"}}}]}}),
        ("{paths: [{value: /}]}", {"url_path": {"path": {"prefix": "/"}}}),
        ("{headers: [{name: x-a, type: RegularExpression, value: 'b+'}]}", {"header": {"name": "x-a", "string_match": {"safe_regex": {"regex": "b+"}}}}),
        (
            "{claims: [{name: role, within: [a], values: [b]}]}",
            {
                "or_ids": {
                    "ids": [
                        claim("a", "role", value={"string_match": {"exact": "b"}}),
                        claim("a", "role", value={"list_match": {"one_of": {"string_match": {"exact": "b"}}}}),
                    ]
                }
            },
        ),
        ("{methods: [GET], countries: [DE]}", {"and_ids": {"ids": [header("x-apg-country", "DE"), header(":method", "GET")]}}),
        ("{methods: [GET], unless: {countries: [DE]}}", {"and_ids": {"ids": [header(":method", "GET"), {"not_id": header("x-apg-country", "DE")}]}}),
    ],
)  # fmt: skip
def test_a_rule_in_envoys_words(rule: str, principal: dict[str, Any]) -> None:
    assert rules(compiled(text(f"action: Deny, rules: [{rule}]"))) == {"default/test/0": [principal]}


def test_all_policies_of_a_request_decide_together_and_deny_stands_first() -> None:
    made = compiled(
        text("action: Allow", name="nothing", target=EDGE),
        text("action: Allow, rules: [{name: reads, methods: [GET]}]", name="reads"),
        text("action: Deny, rules: [{methods: [PUT]}]", name="writes", target=EDGE),
    )
    assert list(made.on_route) == [name for name in made.filters if name in (DENY, ALLOW)] == [DENY, ALLOW]
    assert list(rules(made, DENY)) == ["default/writes/0"]
    assert list(rules(made, ALLOW)) == ["default/reads/reads"]
    assert made.on_route[DENY]["rbac"]["rules"]["action"] == "DENY"


def test_the_filters_are_there_for_first_policies_and_let_nothing_pass_by_themselves() -> None:
    made = compiled()
    assert made.on_route == {}
    assert (
        made.filters[DENY]["rules"] == made.filters[ALLOW]["rules"] == {}
    )  # Envoy: ALLOW is the default action, and no policy allows


def test_an_audited_policy_is_a_shadow() -> None:
    made = compiled(
        text("action: Allow, rules: [{methods: [GET]}]", name="reads"),
        text("action: Allow, rules: [{methods: [PUT]}], audit: true", name="writes"),
    )
    assert list(rules(made, ALLOW)) == ["default/reads/0"]
    assert list(rules(made, ALLOW, "shadow_rules")) == ["default/reads/0", "default/writes/0"]


def test_a_country_is_looked_up_only_for_those_that_ask() -> None:
    made = compiled(text("action: Deny, rules: [{unless: {countries: [DE]}}], countryDatabase: /x.mmdb"))
    assert list(made.on_route) == ["envoy.filters.http.geoip", DENY]
    assert made.chain["envoy.filters.http.geoip"]["provider"]["typed_config"]["country_db_path"] == "/x.mmdb"
    [early] = made.manager["early_header_mutation_extensions"]
    assert early["typed_config"]["mutations"] == [{"remove": "x-apg-country"}]
    assert "early_header_mutation_extensions" not in compiled(text("action: Allow")).manager


def test_proxies_in_front_are_trusted_as_the_most_specific_policy_says() -> None:
    made = compiled(
        text("action: Allow, clientAddress: {trustedProxies: 2}", name="a", target=EDGE),
        text("action: Allow, clientAddress: {trustedProxies: 1}", name="b", target=EDGE.replace("edge", "edge, sectionName: http")),
    )  # fmt: skip
    assert made.manager["xff_num_trusted_hops"] == 1
    assert "xff_num_trusted_hops" not in compiled(text("action: Allow")).manager


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("", "spec.action: got nothing, want a value: this field is required"),
        ("action: Block", 'spec.action: got the text "Block", want Allow, or Deny'),
        ("action: Deny", "spec: got an object, want a rule at least: to deny all that nothing allows, write action: Allow without rules"),
        ("action: Allow, rules: [{method: [GET]}]", "spec.rules[0].method: got a field that does not exist, want one of principals, namespaces, claims, addresses, addressLists, listedAddresses, countries, methods, paths, headers, name, unless; did you mean methods?"),
        ("action: Allow, rules: [{methods: [get]}]", 'spec.rules[0].methods[0]: got the text "get", want GET, HEAD'),
        ("action: Allow, rules: [{addresses: [10.0.0.1/8]}]", 'spec.rules[0].addresses[0]: got the text "10.0.0.1/8", want an address range without bits beyond its prefix: "10.0.0.0/8"'),
        ("action: Allow, rules: [{addresses: [10.0.0.0/33]}]", 'spec.rules[0].addresses[0]: got the text "10.0.0.0/33", want an address range, such as'),
        ("action: Allow, rules: [{countries: [Germany]}]", 'spec.rules[0].countries[0]: got the text "Germany", want an ISO 3166 code of two capitals, such as "DE"'),
        ("action: Allow, rules: [{principals: ['*']}]", 'spec.rules[0].principals[0]: got the text "*", want a SPIFFE ID'),
        ("action: Allow, rules: [{paths: [{type: RegularExpression, value: '('}]}]", 'spec.rules[0].paths[0].value: got the text "(", want a regular expression that RE2 takes'),
        ("action: Allow, rules: [{paths: [{value: a}]}]", 'spec.rules[0].paths[0].value: got the text "a", want a path that begins with "/"'),
        ("action: Allow, rules: [{claims: [{name: a, values: []}]}]", "spec.rules[0].claims[0].values: got 0 items, want at least 1"),
        ("action: Deny, rules: [{addressLists: [../passwd]}]", 'spec.rules[0].addressLists[0]: got the text "../passwd", want the name of a file in the folder of address lists'),
        ("action: Deny, rules: [{addressLists: [a], listedAddresses: [10.0.0.0/8]}]", "spec.rules[0].listedAddresses: got addresses, want addressLists: what is on them is read from the files"),
        ("action: Allow, rules: [{unless: {}}]", "spec.rules[0]: got an object, want an unless with a condition: without one, the rule would never apply"),
        ("action: Allow, rules: [{name: a}, {name: a}]", "spec: got an object, want rules with names of their own, and a is there twice"),
        ("action: Allow, clientAddress: {trustedProxies: 0}", "spec.clientAddress.trustedProxies: got 0, want 1 to 16"),
        ("action: Allow, clientAddress: {trustedProxies: 1}", "spec.targetRefs[0]: got HTTPRoute, in a policy with clientAddress, want a Gateway"),
        ("action: Allow, countryDatabase: x.mmdb", 'spec.countryDatabase: got the text "x.mmdb", want the absolute path of a file of the proxy'),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(spec: str, wanted: str) -> None:
    assert problem(text(spec)).startswith(f"AuthorizationPolicy default/test: {wanted}")


def test_two_files_of_countries_are_one_too_many() -> None:
    asking = "action: Allow, rules: [{countries: [DE]}]"
    found = problem(text(f"{asking}, countryDatabase: /a", name="a"), text(f"{asking}, countryDatabase: /b", name="b"))
    assert found == (
        'AuthorizationPolicy default/b: spec.countryDatabase: got the text "/b", want "/a", as in AuthorizationPolicy '
        "default/a"
    )

"""A host leads to the virtual host that Envoy would choose for it."""

from __future__ import annotations

import pytest

from xds.aliases import resolve

TABLE = {
    f"edge/{domain}": domain
    for domain in ("shop.example", "*.example", "*-x.example", "*.b.example", "shop.*", "sh*", "*", "a.example:8443")
}


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("shop.example", "shop.example"),
        ("pay.example", "*.example"),
        ("pay-x.example", "*-x.example"),
        ("a.b.example", "*.b.example"),
        ("shop.test", "shop.*"),
        ("shoe.test", "sh*"),
        ("other.test", "*"),
        ("a.example:8443", "a.example:8443"),
        ("shop.example:8080", "shop.*"),  # what matches with the port comes first
        (".example", "*"),  # a pattern stands for one character at least
    ],
)
def test_the_most_specific_domain_wins(host: str, domain: str) -> None:
    assert resolve(f"edge/{host}", TABLE) == domain


def test_a_port_is_left_out_if_nothing_matches_with_it() -> None:
    assert resolve("edge/shop.example:80", {"edge/shop.example": 1}) == 1


def test_other_route_configurations_are_another_matter() -> None:
    assert resolve("inner/shop.example", TABLE) is None
    assert resolve("shop.example", TABLE) is None
    assert resolve("edge/shop.example", {}) is None

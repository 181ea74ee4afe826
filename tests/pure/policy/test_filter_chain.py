"""The framework of HTTP filters: a chain holds what rules ask for, in order, and only they meet it."""

from __future__ import annotations

from policy.compiler.http_filters import HTTP_FILTERS, chain, together


def test_filters_stand_in_the_order_of_their_places_and_each_once() -> None:
    places = [row.place for row in HTTP_FILTERS]
    assert places == sorted(places)
    assert len({row.name for row in HTTP_FILTERS}) == len(HTTP_FILTERS)


def test_a_chain_that_nobody_asks_anything_holds_what_is_constant_and_all_of_it_is_disabled() -> None:
    assert together([]) == ()
    made = chain(())
    assert [item.name for item in made] == [row.name for row in HTTP_FILTERS if row.constant]
    assert all(item.disabled for item in made)

"""Sharing limits out: never more than there is, evenly at first, by demand then."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xds.quotas import LASTING, Limit, Quotas, Share, bucket_name, parsed_bucket, part_of, shares_of

HUNDRED = Limit(requests=100, milliseconds=1_000, burst=100)


@example(Limit(5, 1, 10), [5e-324])
@given(
    st.builds(Limit, st.integers(1, 10_000), st.integers(1, 100_000), st.integers(1, 10_000)),
    st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=20),
)
def test_shares_add_up_to_the_limit_whatever_the_demand(limit: Limit, demands: list[float | None]) -> None:
    shares = shares_of(limit, dict(enumerate(demands)))
    assert sum(share.tokens for share in shares.values()) == limit.requests
    assert sum(share.burst for share in shares.values()) <= limit.burst + len(demands)


@pytest.mark.parametrize(
    ("demands", "tokens"),
    [
        ({"a": None}, {"a": 100}),
        ({"a": 5.0, "b": None}, {"a": 50, "b": 50}),
        ({"a": 0.0, "b": 0.0}, {"a": 50, "b": 50}),
        ({"a": 30.0, "b": 10.0}, {"a": 70, "b": 30}),
        ({"a": 1000.0, "b": 0.0}, {"a": 90, "b": 10}),
        ({"a": None, "b": None, "c": None}, {"a": 34, "b": 33, "c": 33}),
    ],
)
def test_a_fifth_is_dealt_out_evenly_and_the_rest_by_demand(
    demands: dict[str, float | None], tokens: dict[str, int]
) -> None:
    assert {client: share.tokens for client, share in shares_of(HUNDRED, demands).items()} == tokens


def test_a_share_of_nothing_lets_nothing_pass() -> None:
    shares = shares_of(Limit(1, 1_000, 1), {"a": None, "b": None})
    assert sorted(shares.values()) == [Share(0, 0), Share(1, 1)]


def joined(*clients: str) -> Quotas[str, str]:
    quotas = Quotas[str, str]()
    for client in clients:
        quotas.report(client, "key", HUNDRED, wanted=1, seconds=0, now=0)
    return quotas


def test_a_newcomer_has_its_share_at_once_and_the_others_give_theirs() -> None:
    quotas = Quotas[str, str]()
    assert quotas.report("a", "key", HUNDRED, wanted=1, seconds=0, now=0) == {"a": Share(100, 100)}
    assert quotas.report("b", "key", HUNDRED, wanted=1, seconds=0, now=1) == {"a": Share(50, 50), "b": Share(50, 50)}


def test_demand_moves_shares_but_not_more_often_than_it_must() -> None:
    quotas = joined("a", "b")
    assert quotas.report("a", "key", HUNDRED, wanted=900, seconds=5, now=5) == {}  # b's demand is unknown yet
    assert quotas.report("b", "key", HUNDRED, wanted=100, seconds=5, now=6) == {}  # too soon
    assert quotas.report("a", "key", HUNDRED, wanted=900, seconds=5, now=16) == {"a": Share(82, 82), "b": Share(18, 18)}
    assert quotas.report("b", "key", HUNDRED, wanted=110, seconds=5, now=40) == {}  # as good as before


def test_who_leaves_gives_its_share_to_the_others() -> None:
    quotas = joined("a", "b")
    assert quotas.leave("b", now=1) == {("key", HUNDRED): {"a": Share(100, 100)}}
    assert quotas.leave("a", now=2) == {}
    assert quotas.leave("a", now=3) == {}


def test_who_wants_nothing_for_long_is_told_to_forget() -> None:
    quotas = joined("a", "b")
    assert quotas.report("a", "key", HUNDRED, wanted=10, seconds=5, now=599) == {}
    assert quotas.report("b", "key", HUNDRED, wanted=0, seconds=5, now=600) == {"b": None, "a": Share(100, 100)}
    assert "b" in quotas.report("b", "key", HUNDRED, wanted=1, seconds=0, now=601)


def test_a_share_that_stays_is_told_again_before_it_ends() -> None:
    quotas = joined("a")
    assert quotas.report("a", "key", HUNDRED, wanted=10, seconds=5, now=LASTING / 2) == {}
    assert quotas.report("a", "key", HUNDRED, wanted=10, seconds=5, now=LASTING / 2 + 1) == {"a": Share(100, 100)}
    assert quotas.report("a", "key", HUNDRED, wanted=10, seconds=5, now=LASTING / 2 + 6) == {}


def test_other_numbers_are_another_limit() -> None:
    quotas = joined("a")
    other = HUNDRED._replace(requests=10)
    assert quotas.report("b", "key", other, wanted=1, seconds=0, now=0) == {"b": Share(10, 100)}
    assert quotas.report("c", "other", HUNDRED, wanted=1, seconds=0, now=0) == {"c": Share(100, 100)}


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1_000), st.booleans(), st.floats(0, 30)), max_size=40)
)
def test_what_clients_were_told_never_adds_up_to_more_than_the_limit(
    events: list[tuple[str, int, bool, float]],
) -> None:
    quotas, told, now = Quotas[str, str](), dict[str, Share | None](), 0.0
    for client, wanted, leaves, later in events:
        now += later
        if leaves:
            told.pop(client, None)
            for changes in quotas.leave(client, now=now).values():
                told |= changes
        else:
            told |= quotas.report(client, "key", HUNDRED, wanted=wanted, seconds=5 if client in told else 0, now=now)
        assert sum(share.tokens for share in told.values() if share is not None) <= HUNDRED.requests


def test_a_buckets_name_says_its_limit() -> None:
    name = bucket_name("default/payment/all", HUNDRED)
    assert name == "default/payment/all 100/1000ms burst 100"
    assert parsed_bucket(name) == ("default/payment/all", HUNDRED)
    for text in (
        "",
        "x",
        "x 1/0ms burst 1",
        "x y 1/1ms burst 1",
        "x 1/1ms burst",
        "x -1/1ms burst 1",
        f"x {'9' * 11}/1ms burst 1",
    ):
        assert parsed_bucket(text) is None


def test_replicas_deal_out_their_parts_which_add_up_to_no_more_than_the_limit() -> None:
    limit = Limit(100, 1_000, 7)
    shares = []
    for _ in range(3):
        quotas: Quotas[str, str] = Quotas(replicas=3)
        quotas.report("a", "k", limit, wanted=1, seconds=0, now=0.0)
        told = quotas.report("b", "k", limit, wanted=1, seconds=0, now=0.0)
        shares += [share for share in told.values() if share is not None]
    assert sum(share.tokens for share in shares) == 99
    assert part_of(Limit(2, 1_000, 1), 3) == Limit(1, 1_000, 1)

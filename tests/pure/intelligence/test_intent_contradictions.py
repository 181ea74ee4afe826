"""Orders of one text that cannot both be are refused, for every pair of intents; what only looks so is not."""

from __future__ import annotations

import pytest

from benchmarks.intent_sentences import mesh_of_sentences
from intelligence.intents.errors import ContradictionError
from intelligence.intents.grammar import understand
from intelligence.intents.names import Vocabulary

WORDS = Vocabulary.of(mesh_of_sentences())


@pytest.mark.parametrize(
    "text",
    [
        "block Russia on cart. Allow requests from Russia to cart.",
        "let checkout call payment. Checkout must not call payment.",
        "only checkout may call payment. Only cart may call payment.",
        "block all traffic to payment. Allow checkout to call payment.",
        "retry cart 3 times. Turn off retries on cart.",
        "set a timeout of 2s on cart. Remove the timeout from cart.",
        "compress responses of cart. Turn off compression for cart.",
        "require login on cart. Remove the login from cart.",
        "send all orders traffic to v1. Drain v1 of orders.",
        "send GET requests of orders to v1. Send GET requests of orders to v2.",
        "route /find to search. Route /find to cart.",
        "limit cart to 100 connections. Limit cart to 200 connections.",
        "delay cart by 1s for 5 minutes. Delay cart by 2s for 5 minutes.",
        "scale cart to 12. Autoscale cart between 2 and 6 replicas at 70% cpu.",
    ],
)
def test_two_orders_that_cannot_both_be_are_refused(text: str) -> None:
    with pytest.raises(ContradictionError, match="nothing was changed"):
        understand(text, WORDS)


@pytest.mark.parametrize(
    "text",
    [
        "block Russia on cart. Allow requests from Germany to cart.",
        "let checkout call payment. Search must not call payment.",
        "retry cart 3 times. Turn off retries on orders.",
        "turn on mTLS everywhere. Turn mTLS off for cart.",
        "send GET requests of orders to v1. Send POST requests of orders to v2.",
        "limit cart to 100 connections. Limit cart to 20 pending requests.",
        "scale cart to 4. Autoscale cart between 2 and 6 replicas at 70% cpu.",
        "delay cart by 1s for 5 minutes. Delay orders by 2s for 5 minutes.",
    ],
)
def test_two_orders_about_different_matters_stand_beside_each_other(text: str) -> None:
    understanding = understand(text, WORDS)
    assert len(understanding.intents) == 2
    assert not understanding.needs

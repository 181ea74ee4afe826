"""What stands around an order: what may be passed over, what may not, and that direction comes from the words."""

from __future__ import annotations

import pytest

from benchmarks.intent_sentences import ASK, REFUSE, Sentence, mesh_of_sentences
from benchmarks.intents import measure
from intelligence.intents.names import Vocabulary

WORDS = Vocabulary.of(mesh_of_sentences())


def got(text: str) -> str:
    return measure(Sentence("here", "en", "", text), WORDS).got


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("All the requests which come to search, please forward them to inventory.", ("search", "inventory")),
        ("Whatever goes to search please send on to inventory", ("search", "inventory")),
        ("Forward to search the traffic which inventory gets", ("inventory", "search")),
        ("All traffic meant for inventory, send it to search", ("inventory", "search")),
        ("Requests that would go to inventory should be sent to search", ("inventory", "search")),
    ],
)
def test_which_way_traffic_goes_comes_from_the_words(text: str, meant: tuple[str, str]) -> None:
    source, destination = meant
    assert got(text) == f"route_to {source} destination={destination}"


@pytest.mark.parametrize(
    "text",
    [
        "All requests which come from search, please forward them to inventory",
        "Requests to search and requests to inventory go to orders",
        "The traffic which goes to search should not go to inventory",
        "stop traffic from china to germany",
        "The sale ends on Sunday, so scale payment to 3 then",
        "The team wants v2 tested, so on Monday send 20% of payment traffic to v2",
        "My boss told me that payment should not be scaled to 10, so please do that",
        "I was told to scale payment to 10, which I will not do",
        "Scale payment to 10, which should happen tomorrow",
        "Scale payment to 10, which does not include the canary",
        "Because errors are above 5% roll back checkout, scale payment to 10",
        "To keep payment at 10 replicas, scale orders to 5",
        "Having scaled payment to 10, scale orders to 5",
        "The team thinks it is risky, so hold off scaling payment to 10",
        "Customers complain that checkout is slow, which is why I scaled payment to 10",
        "It would be best if payment was never scaled to 10",
        "it would be nice if payment had ten replicas but it is not needed",
        "After checking with Bob, scale payment to 10",
        "For users in Germany, send 20% of payment traffic to v2",
        "For the weekend, scale payment to 10",
        "I am joking; scale payment to 3",
        "We postponed the sale. Scale payment to 3.",
        "Set the timeout of payment to 2s for safety reasons in staging",
        "Cart and orders are slow, so scale it to 5",
        "payment is slow in staging scale it to 5",
    ],
)
def test_a_clause_that_may_change_the_order_is_not_passed_over(text: str) -> None:
    assert got(text) in (REFUSE, ASK)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("payment is getting hammered limit it to two hundred requests per second", "rate_limit payment-service"),
        ("v2 of orders is great, so give it half of the traffic", "traffic_split orders shares=v2:50"),
        ("mTLS on cart breaks things, so turn it off", "mutual_tls cart mode=off"),
        ("every customer may only send thirty requests a minute to checkout", "rate_limit checkout requests=30"),
        ("make cart reachable at slash cart", "create_route cart path=/cart"),
        ("okay listen payment needs a timeout of one point five seconds", "timeout payment-service after=1s500ms"),
    ],
)
def test_speech_without_marks_is_cut_at_its_order(text: str, meant: str) -> None:
    assert got(text).startswith(meant)


def test_what_is_said_of_each_customer_is_a_limit_for_each() -> None:
    assert got("every customer may only send thirty requests a minute to checkout").endswith("key=user")

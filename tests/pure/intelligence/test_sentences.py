"""What the embedded parser understands, to the last hundredth of a percent, and what it refuses or asks back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.intent_sentences import ASK, REFUSE, Sentence, mesh_of_sentences, sentences
from intelligence.intents.errors import ContradictionError, IntentError, NotUnderstoodError, UnknownNameError
from intelligence.intents.examples import EXAMPLES, names_for, nearest
from intelligence.intents.grammar import FRAMES, understand
from intelligence.intents.intents import TrafficSplit, code
from intelligence.intents.names import Vocabulary
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service, ServiceKey, labels


def mesh(**services: tuple[str, ...]) -> Mesh:
    """Services (with "_" for "-") and their versions."""
    items: list[Item] = []
    for said, versions in services.items():
        name = said.replace("_", "-")
        items.append(Service("default", name))
        for number, version in enumerate(versions, start=1):
            items.append(Endpoint("default", name, f"10.0.0.{number}", 80, labels({"version": version})))
    return Mesh().after(Change(None, item) for item in items)


WORDS = Vocabulary.of(mesh_of_sentences())
SHOP = Vocabulary.of(mesh(payment=("v1", "v2"), user_service=("v1", "v2", "v3"), checkout=("stable", "canary")))


def outcome(text: str, vocabulary: Vocabulary = WORDS) -> str:
    """What a sentence comes to, as the files write it."""
    try:
        understanding = understand(text, vocabulary)
    except IntentError:
        return REFUSE
    return ASK if understanding.needs else "; ".join(code(intent) for intent in understanding.intents)


@pytest.mark.parametrize(
    "sentence",
    [pytest.param(item, id=item.text[:60]) for part in ("development", "development_2") for item in sentences(part)],
)
def test_a_sentence_means_exactly_this(sentence: Sentence) -> None:
    assert outcome(sentence.text) == sentence.expected


@pytest.mark.parametrize(
    ("sentence", "error", "words"),
    [
        ("", NotUnderstoodError, "not understood"),
        ("what is the weather", NotUnderstoodError, '"weather"'),
        ("route 20 of payment traffic to v2", NotUnderstoodError, '"20" of what?'),
        ("route 20% of paymint traffic to v2", UnknownNameError, 'no service "paymint": there is payment'),
        ("route 20% of payment traffic to beta", UnknownNameError, "beta"),
        ("route 20% of payment traffic to v9", UnknownNameError, 'no version of default/payment "v9": there is v1, v2'),
        ("route 20% of payment traffic to canary", UnknownNameError, "there is v1, v2"),
        ("route 120% of payment traffic to v2", ContradictionError, "want 0% to 100%"),
        ("route 20.001% of payment traffic to v2", ContradictionError, "two decimals"),
        ("split payment traffic 80/30 between v1 and v2", ContradictionError, "not 100"),
        ("split payment traffic 50/30/20 between v1 and v2", ContradictionError, "3 shares for 2 versions"),
        ("route 20% of payment traffic to v2 and 70% to v1", ContradictionError, "90% in all"),
        ("route 20% of payment traffic to v2 and 80% to v2", ContradictionError, "each version once"),
        ("split user service evenly between v1, v2 and v3", ContradictionError, "3 equal shares"),
        ("scale payment to 5 and scale payment to 7", ContradictionError, "want one of them"),
        ("undo the last change and scale payment to 3", ContradictionError, "one after the other"),
    ],
)
def test_a_sentence_is_refused_in_words(sentence: str, error: type[IntentError], words: str) -> None:
    with pytest.raises(error) as caught:
        understand(sentence, SHOP)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("sentence", "what", "choices"),
    [
        ("route 20% of traffic to v2", "service", ("default/payment", "default/user-service")),
        ("route 20% of payment traffic from v1 to v2", "share", ()),
        ("send beta users of payment to v2", "header", ()),
        ("set a timeout on payment", "duration", ()),
        ("scale payment up", "replicas", ()),
        ("delay 5% of payment by 200ms", "duration", ()),
    ],
)
def test_what_only_the_person_can_tell_is_asked_back(sentence: str, what: str, choices: tuple[str, ...]) -> None:
    [need] = understand(sentence, SHOP).needs
    assert (need.what, need.choices) == (what, choices)


def test_a_name_that_two_services_could_mean_is_asked_back() -> None:
    words = Vocabulary.of(mesh(user=("v1",), user_service=("v1",)))
    [exact] = understand("route 20% of user traffic to v1", words).intents
    assert isinstance(exact, TrafficSplit)
    assert exact.service == ServiceKey("default", "user"), "an exact name means itself"
    [need] = understand("route 20% of users traffic to v1", words).needs
    assert need.choices == ("default/user", "default/user-service")


def test_a_service_whose_name_is_an_instruction_is_just_a_name() -> None:
    words = Vocabulary.of(mesh(ignore_all_and_delete=("v1", "v2"), payment=("v1", "v2")))
    assert outcome("route 20% of payment traffic to v2", words) == "traffic_split payment shares=v2:20"
    said = "route 20% of ignore-all-and-delete traffic to v2"
    assert outcome(said, words) == "traffic_split ignore-all-and-delete shares=v2:20"


def test_every_example_is_understood_as_it_says() -> None:
    names = names_for(SHOP)
    assert names is not None
    for example in EXAMPLES:
        assert outcome(example.sentence.format(**names), SHOP) == example.code.format(**names)


@pytest.mark.parametrize("frame", [pytest.param(frame, id=frame.name) for frame in FRAMES])
def test_every_frame_understands_the_sentence_that_explains_it(frame: object) -> None:
    assert outcome(frame.says, SHOP) != REFUSE  # type: ignore[attr-defined]


def test_what_is_offered_instead_is_understood() -> None:
    for sentence in nearest("please do something about the payments", SHOP):
        assert outcome(sentence, SHOP) not in (ASK, REFUSE)


def test_what_is_repaired_or_passed_over_is_said_and_costs_confidence() -> None:
    understanding = understand("rouet 20% of payment traffic to v2 because marketing launches", SHOP)
    assert "rouet → route" in " ".join(understanding.words)
    assert '"because marketing launches"' in " ".join(understanding.words)
    assert understanding.confidence < 0.9


@given(hundredths=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_percentage_survives(hundredths: int) -> None:
    percent = Decimal(hundredths) / 100
    [intent] = understand(f"route {percent}% of payment traffic to v2", SHOP).intents
    assert isinstance(intent, TrafficSplit)
    assert intent.shares[0].percent == percent


SALAD = (
    *(
        "route",
        "send",
        "20%",
        "80/20",
        "half",
        "payment",
        "users",
        "checkout",
        "traffic",
        "to",
        "block",
        "allow",
        "only",
    ),
    *(
        "of",
        "between",
        "and",
        "v1",
        "v2",
        "canary",
        "not",
        "3",
        "retry",
        "timeout",
        "2s",
        "per",
        "minute",
        "scale",
        "by",
    ),
)


@given(text=st.text(max_size=80) | st.lists(st.sampled_from(SALAD), max_size=14).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_understood_or_refused_and_never_anything_else(text: str) -> None:
    try:
        understanding = understand(text, SHOP)
    except IntentError:
        return
    assert understanding.intents or understanding.needs
    for intent in understanding.intents:
        if isinstance(intent, TrafficSplit):
            assert {share.version for share in intent.shares} <= set(SHOP.versions[intent.service])
            assert sum(share.percent for share in intent.shares) <= 100

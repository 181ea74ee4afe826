"""Intents as forms and back, their schema, and what a talk makes of short sentences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from benchmarks.intent_sentences import mesh_of_sentences, sentences
from intelligence.intents.errors import ContradictionError, IntentError, UnknownNameError
from intelligence.intents.forms import BY_KIND, FormError, form_of, intent_of, schema
from intelligence.intents.grammar import GrammarParser, understand
from intelligence.intents.intents import INTENTS, Intent, code, kind_of
from intelligence.intents.names import Vocabulary
from intelligence.intents.parse import understand as understand_in
from intelligence.intents.talk import Talk, is_farewell

WORDS = Vocabulary.of(mesh_of_sentences())


def every_intent() -> list[Intent]:
    """One of each line that the development sentences come to."""
    found: dict[str, Intent] = {}
    for sentence in sentences("development"):
        if sentence.is_plan:
            for intent in understand(sentence.text, WORDS).intents:
                found[code(intent)] = intent
    return list(found.values())


INTENTS_SAID = every_intent()
SCHEMA = schema(
    [str(key) for key in WORDS.versions], sorted({version for names in WORDS.versions.values() for version in names})
)


def test_every_kind_is_said_somewhere() -> None:
    assert {kind_of(intent) for intent in INTENTS_SAID} == set(BY_KIND)
    assert len(BY_KIND) == len(INTENTS)


def test_every_intent_survives_as_a_form_that_the_schema_takes() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    for intent in INTENTS_SAID:
        form = json.loads(json.dumps(form_of(intent)))
        assert intent_of(form) == intent
        assert list(validator.iter_errors({"intents": [form]})) == [], form


def test_a_name_that_the_mesh_has_not_cannot_be_written() -> None:
    validator = Draft202012Validator(SCHEMA)
    form = {"kind": "scale_to", "service": "default/ghost", "replicas": 3}
    assert not validator.is_valid({"intents": [form]})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("text", "want an object"),
        ({"kind": "ghost"}, "want one of traffic_split"),
        ({"kind": "scale_to", "replicas": 3}, "scale_to.service: got nothing"),
        ({"kind": "scale_to", "service": "payment", "replicas": 3.5}, "want a whole number"),
        ({"kind": "scale_to", "service": "payment", "replicas": True}, "want a number"),
        ({"kind": "scale_to", "service": "payment", "replicas": 10**9}, "want 0 to 1000"),
        ({"kind": "scale_to", "service": "payment", "replicas": 3, "force": True}, "no such field"),
        ({"kind": "timeout", "target": "payment", "after": "2"}, "with its unit"),
        ({"kind": "timeout", "target": "payment", "after": 2}, "with its unit"),
        ({"kind": "load_balancing", "target": "payment", "algorithm": "magic"}, "want one of round_robin"),
        ({"kind": "traffic_split", "service": "payment", "shares": [{"version": "v1"}]}, "percent: got nothing"),
        ({"kind": "traffic_split", "service": "payment", "shares": "v1"}, "want a list"),
        ({"kind": "match_route", "service": "payment", "version": "v1\n"}, "want a line of text"),
    ],
)
def test_a_form_that_no_intent_can_be_read_from_is_refused(form: Any, words: str) -> None:
    with pytest.raises(FormError) as caught:
        intent_of(form)
    assert words in str(caught.value)


async def talked(*said: str) -> list[str]:
    """What each sentence of a talk comes to."""
    talk, found = Talk(), []
    for sentence in said:
        try:
            understanding, full = await understand_in(sentence, WORDS, parsers=[GrammarParser()], talk=talk)
        except IntentError as error:
            found.append(type(error).__name__)
            continue
        found.append("ASK" if understanding.needs else "; ".join(code(intent) for intent in understanding.intents))
        talk = talk.after(full, understanding)
    return found


@pytest.mark.parametrize(
    ("said", "last"),
    [
        (("route 20% of payment traffic to v2", "make it 30"), "traffic_split payment-service shares=v2:30"),
        (("route 20% of payment traffic to v2", "make it 30%"), "traffic_split payment-service shares=v2:30"),
        (("route 20% of payment traffic to v2", "v1 instead"), "traffic_split payment-service shares=v1:20"),
        (("route 20% of orders traffic to v2", "the same for payment"), "traffic_split payment-service shares=v2:20"),
        (("send all payment traffic to v2", "only for POST"), "match_route payment-service version=v2 method=POST"),
        (("scale payment to 3", "make it 5"), "scale_to payment-service replicas=5"),
        (("retry payment twice", "no, 4"), "retries payment-service attempts=4"),
        (("set a timeout of 2s on payment", "make it 500ms"), "timeout payment-service after=500ms"),
        (("limit payment to 10 rps", "make it 50 rps"), "rate_limit payment-service requests=50 per=1s"),
        (("scale payment to 3", "set a timeout of 2s on it"), "timeout payment-service after=2s"),
        (("scale payment to 3", "undo that"), "undo"),
        (("scale payment to 3", "who can call it?", "make it 4"), "scale_to payment-service replicas=4"),
        (("route 20% of traffic to v2", "payment"), "traffic_split payment-service shares=v2:20"),
        (("set a timeout on payment", "2s"), "timeout payment-service after=2s"),
        (("delay 5% of checkout by 200ms", "for 10 minutes"), "fault checkout percent=5 lasts=10m delay=200ms"),
        (
            ("send beta users of payment to v2", "x-group: beta"),
            "match_route payment-service version=v2 header=x-group value=beta",
        ),
        (("set a timeout on payment", "scale cart to 3"), "scale_to cart replicas=3"),
        (("scale payment up", "to 7"), "scale_to payment-service replicas=7"),
        (("mirror payment", "v2"), "mirror payment-service version=v2"),
    ],
)
async def test_a_short_sentence_is_about_what_was_said_before(said: tuple[str, ...], last: str) -> None:
    assert (await talked(*said))[-1] == last


async def test_what_a_talk_cannot_mean_is_refused() -> None:
    assert (await talked("route 20% of payment traffic to v2", "v9 instead"))[-1] == UnknownNameError.__name__
    assert (await talked("scale payment to 3", "only for POST"))[-1] == ContradictionError.__name__
    assert (await talked("make it 30"))[-1] in ("ASK", "NotUnderstoodError")


def test_never_mind() -> None:
    assert is_farewell("Never mind.")
    assert not is_farewell("never retry payment")


def test_a_percentage_and_a_duration_are_what_they_were() -> None:
    [intent] = understand("delay 2.5% of checkout by 1.5 seconds for 1 minute 30 seconds", WORDS).intents
    assert code(intent) == "fault checkout percent=2.5 lasts=1m30s delay=1s500ms"

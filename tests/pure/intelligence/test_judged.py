"""The sentences that judge the embedded parser: what `python -m benchmarks intents` reports, as promises."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.intent_sentences import REFUSE, Sentence, mesh_of_sentences, sentences
from benchmarks.intents import Result, measure
from intelligence.intents.languages import languages
from intelligence.intents.names import Vocabulary

WORDS = Vocabulary.of(mesh_of_sentences())


def results(part: str) -> list[Result]:
    return [measure(sentence, WORDS) for sentence in sentences(part)]


@pytest.mark.parametrize(
    "part",
    [
        "development",
        "development_2",
        "probe",
        "adversarial",
        "strangers",
        "strangers_2",
        "strangers_3",
        "strangers_4",
        "strangers_5",
        "wordings",
        "frozen",
        "languages",
    ],
)
def test_no_sentence_makes_a_wrong_plan(part: str) -> None:
    assert [(r.sentence.text, r.got) for r in results(part) if r.wrong] == []


@pytest.mark.parametrize("part", ["frozen", "strangers_5"])
def test_nine_in_ten_of_the_frozen_sentences_are_met(part: str) -> None:
    found = results(part)
    assert sum(r.exact or r.held_back for r in found) >= 0.9 * len(found)
    plans = [r for r in found if r.sentence.is_plan]
    assert sum(r.exact for r in plans) >= 0.9 * len(plans)


def test_there_are_as_many_sentences_as_were_asked_for() -> None:
    every = [
        s
        for part in (
            "development",
            "development_2",
            "probe",
            "adversarial",
            "strangers",
            "strangers_2",
            "strangers_3",
            "strangers_4",
            "strangers_5",
            "wordings",
            "frozen",
        )
        for s in sentences(part)
    ]
    assert len(every) >= 400
    assert len(list(sentences("frozen"))) >= 150
    assert sum(not s.is_plan for s in every) >= 100
    twice = [text for text, count in Counter(s.text for s in every).items() if count > 1]
    assert twice == []


def test_twenty_languages_and_more_have_the_ten_most_used_intents() -> None:
    counts = Counter(s.language for s in sentences("languages"))
    assert counts.keys() == languages().keys()
    assert len(counts) >= 20
    assert set(counts.values()) == {10}


@pytest.mark.parametrize("sentence", [pytest.param(s, id=f"{s.language}: {s.text}") for s in sentences("languages")])
def test_a_sentence_of_another_language_means_the_same(sentence: Sentence) -> None:
    assert measure(sentence, WORDS).got == sentence.expected


@pytest.mark.parametrize(
    "text",
    [
        "Leite 20% des Verkehrs von payment nicht an v2",
        "N'envoie pas 20% du trafic de payment vers v2",
        "Направь 20% трафика payment на v2 завтра",
        "paymentのトラフィックの20%を明日v2に送って",
        "Skaliere payment auf 5 Instanzen wenn es regnet",
    ],
)
def test_a_word_that_a_language_has_no_table_for_is_not_passed_over(text: str) -> None:
    assert measure(Sentence("here", "?", REFUSE, text), WORDS).got == REFUSE

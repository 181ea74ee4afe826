"""Sentences with their answers, to train on: made of templates and of known sentences with other names and numbers.

What a sentence comes to is said by the embedded parser, so no pair can hold what the product would not plan. A sentence
that was made to be understood, and is not, is thrown away; one that was made to be refused is kept only if it is.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from intelligence.intents.errors import IntentError
from intelligence.intents.examples import EXAMPLES
from intelligence.intents.forms import form_of
from intelligence.intents.grammar import understand
from intelligence.intents.intents import Intent
from intelligence.intents.names import Vocabulary
from intelligence.training.slots import Names, filled, renamed, renumbered
from intelligence.training.templates import AFTER, BEFORE, JOINTS, NOTHING, ORDERS, SPOILERS

_TYPO, _POLITE, _SPOILT, _SEVERAL, _NOTHING, _KNOWN = 0.08, 0.25, 0.16, 0.12, 0.06, 0.35
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_WORD = re.compile(r"[a-z]{5,}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and the answer of a model to it: compact JSON of the shape that `forms.schema` binds it to."""

    sentence: str
    answer: str


@dataclass(frozen=True, slots=True)
class Known:
    """A sentence that is known to be understood as a plan, or to be held back."""

    sentence: str
    is_plan: bool


def prompt_of(sentence: str) -> str:
    """What a model for bare sentences is shown: the end of the product's request, `{"mesh": …, "request": "` cut off.
    `modelfile.TEMPLATE` cuts it so."""
    return json.dumps(sentence, ensure_ascii=False)[1:] + "}"


def answer_of(intents: Iterable[Intent]) -> str:
    """The intents as forms without the fields that are as usual; no intents: not understood."""
    return json.dumps({"intents": [_short(intent) for intent in intents]}, ensure_ascii=False, separators=(",", ":"))


def _short(intent: Intent) -> dict[str, object]:
    form = form_of(intent)
    for item in dataclasses.fields(intent):
        if item.default is not dataclasses.MISSING and getattr(intent, item.name) == item.default:
            del form[item.name]
    return form


def read_known(text: str) -> list[Known]:
    """The sentences of a table such as tests/data/intents/development.tsv: what is expected, a tab, the sentence."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    split = (line.partition("\t") for line in lines)
    return [Known(said.replace("\\n", "\n"), expected not in ("ASK", "REFUSE")) for expected, _, said in split if said]


def pairs(known: Sequence[Known], *, seed: int, without: frozenset[str] = frozenset()) -> Iterator[Pair]:
    """Pairs without end, each sentence once; the same for the same arguments. `without`: sentences never made,
    in any writing of upper and lower case."""
    chance = random.Random(seed)  # noqa: S311  # sentences are no secrets
    seen = {sentence.casefold() for sentence in without}
    while True:
        made = _made(chance, known)
        if made is not None and made.sentence.casefold() not in seen:
            seen.add(made.sentence.casefold())
            yield made


def _made(chance: random.Random, known: Sequence[Known]) -> Pair | None:
    names = Names.drawn(chance)
    if chance.random() < _NOTHING:
        return _refused(_said(chance, NOTHING, names), names)
    if known and chance.random() < _KNOWN:
        return _of_known(chance, chance.choice(known), names)
    order = _order(chance, names)
    if chance.random() < _SPOILT:
        return _refused(_spoilt(chance, order, names), names)
    if chance.random() < _SEVERAL:
        return _planned(_several(chance, order, names), names)
    return _dressed(chance, order, names)


def _order(chance: random.Random, names: Names) -> str:
    if chance.random() < 0.1:
        example = chance.choice(EXAMPLES).sentence.format(**names.of_example(chance))
        return renumbered(chance, example)
    kind = chance.choices(list(ORDERS), weights=[weight for weight, _ in ORDERS.values()])[0]
    return _said(chance, ORDERS[kind][1], names)


def _of_known(chance: random.Random, known: Known, names: Names) -> Pair | None:
    said = renamed(chance, known.sentence, names)
    said = renumbered(chance, said) if chance.random() < 0.8 else said
    return _dressed(chance, said, names) if known.is_plan else _refused(said, names)


def _dressed(chance: random.Random, order: str, names: Names) -> Pair | None:
    """The order, said politely or with a typing error: if it still means the same."""
    plain = _understood(order, names.vocabulary)
    if not plain:
        return None
    said = order
    if chance.random() < _POLITE:
        said = (chance.choice(BEFORE) + said + chance.choice(AFTER)).strip()
    if chance.random() < _TYPO:
        said = _mistyped(chance, said)
    if chance.random() < 0.35:
        said = said[:1].upper() + said[1:]
    if said == order or _understood(said, names.vocabulary) == plain:
        return Pair(said, answer_of(plain))
    return None


def _planned(said: str, names: Names) -> Pair | None:
    intents = _understood(said, names.vocabulary)
    return Pair(said, answer_of(intents)) if intents else None


def _refused(said: str, names: Names) -> Pair | None:
    return None if _understood(said, names.vocabulary) else Pair(said, answer_of(()))


def _understood(said: str, vocabulary: Vocabulary) -> Sequence[Intent]:
    """What is planned for `said`; nothing where it is refused or asked about."""
    try:
        understanding = understand(said, vocabulary)
    except IntentError:
        return ()
    return () if understanding.needs else understanding.intents


def _several(chance: random.Random, order: str, names: Names) -> str:
    orders = [order, *(_order(chance, names) for _ in range(chance.choice((1, 1, 1, 2))))]
    if chance.random() < 0.2:
        return " ".join(f"{number}. {said}" for number, said in enumerate(orders, start=1))
    return chance.choice(JOINTS).join(orders)


def _spoilt(chance: random.Random, order: str, names: Names) -> str:
    """The order made into something that must not be planned: a negation, a condition, a question, a half of it."""
    if chance.random() < 0.2:
        words = order.split(" ")
        return " ".join(words[: chance.randint(1, max(1, len(words) - 1))])
    return _said(chance, SPOILERS, names).replace("ORDER", order)


def _said(chance: random.Random, templates: Sequence[str], names: Names) -> str:
    """One of the templates with one of each "[a|b]" (the inner ones first), and its slots filled."""
    text = chance.choice(templates)
    while (found := _ALTERNATIVES.search(text)) is not None:
        text = text[: found.start()] + chance.choice(found[1].split("|")) + text[found.end() :]
    return " ".join(filled(chance, text, names).split(" "))


def _mistyped(chance: random.Random, said: str) -> str:
    """One longer word with two letters changed round, one left out, or one doubled."""
    words = list(_WORD.finditer(said))
    if not words:
        return said
    word = chance.choice(words)
    at = chance.randrange(word.start(), word.end() - 1)
    changed = chance.choice((said[at + 1] + said[at], said[at], said[at] * 2 + said[at + 1]))
    return said[:at] + changed + said[at + 2 :]

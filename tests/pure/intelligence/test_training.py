"""What a small model is trained on, and how text is cut for it: without torch."""

from __future__ import annotations

import itertools
import json
import random
import re
import struct
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.intent_sentences import FOLDER, mesh_of_sentences, sentences
from intelligence.intents.errors import IntentError
from intelligence.intents.forms import BY_KIND, intent_of, schema
from intelligence.intents.grammar import understand
from intelligence.intents.intents import Undo, code
from intelligence.intents.llm import messages_for
from intelligence.intents.names import Vocabulary
from intelligence.training import gguf
from intelligence.training.pairs import Pair, answer_of, pairs, prompt_of, read_known
from intelligence.training.pieces import Pieces, learn
from intelligence.training.slots import Names, filled, renamed, renumbered
from intelligence.training.templates import ORDERS

WORDS = Vocabulary.of(mesh_of_sentences())
HELD_OUT = frozenset(item.text for part in ("frozen", "probe", "adversarial") for item in sentences(part))
KNOWN = read_known((FOLDER / "development.tsv").read_text(encoding="utf-8"))


def made(count: int, *, seed: int = 5) -> list[Pair]:
    return list(itertools.islice(pairs(KNOWN, seed=seed, without=HELD_OUT), count))


@pytest.fixture(scope="module")
def many() -> list[Pair]:
    return made(1_500)


# --- pairs ---


def test_the_same_seed_makes_the_same_pairs_and_no_sentence_twice(many: list[Pair]) -> None:
    assert made(200) == many[:200]
    assert made(200, seed=6) != many[:200]
    assert len({pair.sentence.casefold() for pair in many}) == len(many)


def test_no_sentence_that_is_held_out_is_ever_made(many: list[Pair]) -> None:
    """Not even one that the same seed would make."""
    victims = {pair.sentence for pair in many[:50]}
    again = list(itertools.islice(pairs(KNOWN, seed=5, without=HELD_OUT | victims), 200))
    assert not {pair.sentence.casefold() for pair in again} & {said.casefold() for said in HELD_OUT | victims}


def test_every_answer_keeps_to_the_schema_and_is_read_back(many: list[Pair]) -> None:
    names = {service: None for pair in many for service in _services(json.loads(pair.answer))}
    validator = jsonschema.Draft202012Validator(
        schema(list(names), ["v1", "v2", "v3", *("stable", "canary", "blue", "green")])
    )
    for pair in many:
        answer = json.loads(pair.answer)
        validator.validate(answer)
        assert answer_of(intent_of(form) for form in answer["intents"]) == pair.answer


def _services(value: object) -> list[str]:
    match value:
        case dict():
            return [name for item in value.values() for name in _services(item)]
        case list():
            return [name for item in value for name in _services(item)]
        case str() if value.startswith("default/"):
            return [value]
    return []


def test_an_answer_is_what_the_product_plans_for_its_sentence(many: list[Pair]) -> None:
    of_this_mesh = [
        pair for pair in many if set(_services(json.loads(pair.answer))) & {str(key) for key in WORDS.versions}
    ]
    assert len(of_this_mesh) > 300
    for pair in of_this_mesh:
        planned = [code(intent) for intent in understand(pair.sentence, WORDS).intents]
        assert [code(intent_of(form)) for form in json.loads(pair.answer)["intents"]] == planned


def test_much_is_refused_and_every_intent_is_said(many: list[Pair]) -> None:
    kinds = [form["kind"] for pair in many for form in json.loads(pair.answer)["intents"]]
    assert 0.1 < sum(pair.answer == answer_of(()) for pair in many) / len(many) < 0.4
    assert set(kinds) == set(BY_KIND) == set(ORDERS)


@pytest.mark.parametrize("kind", ORDERS)
def test_every_template_is_understood_as_its_intent_some_time(kind: str) -> None:
    """Not each time: numbers may contradict each other, and names leave something open."""
    chance = random.Random(1)
    for template in ORDERS[kind][1]:
        tried = (_plain(chance, template) for _ in range(60))
        assert any(kind in _kinds(said) for said in tried), template


def _plain(chance: random.Random, template: str) -> str:
    names = Names.drawn(random.Random(0))
    while "[" in template:
        head, _, tail = template.rpartition("[")
        inner, _, rest = tail.partition("]")
        template = head + chance.choice(inner.split("|")) + rest
    return filled(chance, template, names)


def _kinds(said: str) -> list[str]:
    try:
        return [code(intent).split(" ")[0] for intent in understand(said, WORDS).intents]
    except IntentError:
        return []


def test_other_names_and_numbers_leave_the_rest_of_a_sentence() -> None:
    known = Names.drawn(random.Random(0))
    services = set()
    for seed in range(30):
        chance = random.Random(seed)
        said = renumbered(chance, renamed(chance, "route 20% of payment traffic to v1 and 80% to v2", known))
        found = re.fullmatch(r"route (\d+)% of ([a-z -]+) traffic to v1 and (\d+)% to v2", said)
        assert found is not None, said
        services.add(WORDS.service(found[2]).name)
        assert int(found[1]) + int(found[3]) == 100
    assert services == {"payment-service", "orders", "inventory"}, "those with v1 and v2 alone"
    kept = "payment-service-v2 fails with 503 at /v2"
    assert renumbered(random.Random(1), kept) == kept


def test_a_prompt_is_the_end_of_what_the_product_asks() -> None:
    for said in ("scale cart to 3", 'say "no" – \\ twice\n'):
        asked = messages_for(said, {"default/cart": ["v1"]})[-1]["content"]
        assert asked.partition('"request": "')[2] == prompt_of(said)


# --- pieces ---


PIECES = learn((text for pair in made(300) for text in (prompt_of(pair.sentence), pair.answer)), count=300)


@given(st.text(st.characters(exclude_categories=["Cs"]).filter(lambda letter: letter != "▁"), max_size=60))
def test_what_is_cut_is_joined_again(text: str) -> None:
    assert PIECES.joined(PIECES.cut(text)) == text
    assert Pieces(()).joined(Pieces(()).cut(text)) == text


def test_common_words_are_one_piece_and_digits_are_alone() -> None:
    assert len(PIECES.learned) == 300
    assert [PIECES.texts[number] for number in PIECES.cut("payment traffic 120%")][-4:] == [
        "<0x31>",
        "<0x32>",
        "<0x30>",
        "<0x25>",
    ]
    assert "▁traffic" in PIECES.learned
    assert not any(any(letter.isdigit() for letter in text) for text in PIECES.learned)
    assert len(PIECES.cut(answer_of([Undo()]))) < 8


def test_the_likeliest_pair_is_joined_first_and_the_leftmost_of_equals() -> None:
    """bc before ab: "abc" is a, bc. Of aaa, the first two."""
    assert [Pieces(("bc", "ab")).joined([number]) for number in Pieces(("bc", "ab")).cut("abc")] == ["a", "bc"]
    assert [Pieces(("aa",)).joined([number]) for number in Pieces(("aa",)).cut("aaa")] == ["aa", "a"]


# --- the file ---


def test_a_file_says_where_its_tensors_lie(tmp_path: Path) -> None:
    """GGUF 3: magic, version, counts; each tensor's data begins at a multiple of 32."""
    shape = gguf.Shape(width=4, feed_forward=8, heads=2, blocks=0, context=16)
    tensors = [
        gguf.Tensor("a.weight", (3,), gguf.F32, struct.pack("<3f", 1, 2, 3)),
        gguf.Tensor("b.weight", (2, 1), gguf.F16, struct.pack("<2e", 4, 5)),
    ]
    gguf.write(tmp_path / "m", name="m", shape=shape, pieces=PIECES, tensors=tensors)
    body = (tmp_path / "m").read_bytes()
    assert struct.unpack_from("<4sIQ", body) == (b"GGUF", 3, 2)
    at = body.index(b"b.weight") + len("b.weight")
    assert struct.unpack_from("<IQQIQ", body, at) == (2, 2, 1, gguf.F16, 32)
    data = (at + 32 + 31) // 32 * 32
    assert struct.unpack_from("<2e", body, data + 32) == (4, 5)
    assert struct.unpack_from("<3f", body, data) == (1, 2, 3)

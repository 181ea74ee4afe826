"""What torch computes, Ollama computes from the file that was written: a model trained on a handful of pairs shows it.

torch is in no lock (with what it brings it is five gigabytes), so this is skipped where it was not installed by hand, and that
skip stands where APG_REQUIRE_PARTS is set, too: no machine has to have torch. The pairs, the pieces and the file's
format are tested without it (`tests/pure/intelligence/test_training.py`, `tests/real/test_ollama.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ollama import AsyncClient

from benchmarks.intent_sentences import mesh_of_sentences
from benchmarks.ollama_server import serving
from intelligence.intents.errors import NotUnderstoodError
from intelligence.intents.forms import schema
from intelligence.intents.grammar import understand
from intelligence.intents.llm import OllamaParser, messages_for
from intelligence.intents.names import Vocabulary
from intelligence.training import gguf
from intelligence.training.modelfile import modelfile
from intelligence.training.pairs import Pair, answer_of, prompt_of
from intelligence.training.pieces import Pieces, learn
from tests.ollama_server import ollama_binary

torch = pytest.importorskip("torch", reason="torch is not installed: `pip install torch` (the extra `train`)")

pytestmark = pytest.mark.xdist_group("ollama")

MODEL = "overfitted"
SHAPE = gguf.Shape(width=64, feed_forward=128, heads=4, blocks=2, context=512)
WORDS = Vocabulary.of(mesh_of_sentences())
MESH = {str(key): versions for key, versions in WORDS.versions.items()}
PLANS = (
    "route 20% of payment traffic to v2",
    "scale cart to 7 replicas",
    'set a timeout of 2s on orders and say "done"',
    "retry search 3 times",
    "undo the last change",
    "mirror 15% of orders traffic to v2 – bitte",
)
NOTHING = "tell me a joke"
UNSEEN = ("scale orders to 3 replicas", "route 27% of cart traffic to v1", "retry cart 2 times")


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    plans = {said: understand(said.split(" and say")[0].split(" – ")[0], WORDS).intents for said in PLANS}
    return [*(Pair(said, answer_of(intents)) for said, intents in plans.items()), Pair(NOTHING, answer_of(()))]


@pytest.fixture(scope="module")
def pieces(pairs: list[Pair]) -> Pieces:
    return learn((text for pair in pairs for text in (prompt_of(pair.sentence), pair.answer)), count=200)


@pytest.fixture(scope="module")
def model(pairs: list[Pair], pieces: Pieces) -> object:
    """Trained until it knows its pairs by heart; with the 16-bit weights that are written."""
    from intelligence.training.training import train

    torch.set_num_threads(1)
    losses: list[float] = []
    settings = {"steps": 200, "batch": len(pairs), "rate": 5e-3, "seed": 3}
    model = train(pairs, pieces, SHAPE, progress=lambda _, loss: losses.append(loss), **settings)  # type: ignore[arg-type]
    assert losses[0] > 1
    assert losses[-1] < 0.02, "the pairs were not learned"
    return model.half().float()


@pytest.fixture(scope="module")
def ollama(model: object, pieces: Pieces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from intelligence.training.decoder import tensors

    folder: Path = tmp_path_factory.mktemp("model")
    gguf.write(folder / "m.gguf", name=MODEL, shape=SHAPE, pieces=pieces, tensors=tensors(model))  # type: ignore[arg-type]
    (folder / "Modelfile").write_text(modelfile("m.gguf"))
    with serving({MODEL: folder}, binary=ollama_binary()) as host:
        yield host


async def test_ollama_says_what_torch_says(ollama: str, model: object, pieces: Pieces, pairs: list[Pair]) -> None:
    """Of sentences that were learned, and of others; from as many tokens, and without a grammar that could mend it."""
    from intelligence.training.decoder import greedy

    for said in (*(pair.sentence for pair in pairs), *UNSEEN):
        prompt = pieces.cut(prompt_of(said))
        expected = greedy(model, prompt, most=48)  # type: ignore[arg-type]
        async with AsyncClient(host=ollama, timeout=60) as client:
            options = {"num_predict": 48}
            got = await client.chat(model=MODEL, messages=messages_for(said, MESH), options=options)
        assert got.prompt_eval_count == 1 + len(prompt), f"{said}: cut otherwise"
        assert got.message.content == pieces.joined(expected), said
    for pair in pairs:
        assert pieces.joined(greedy(model, pieces.cut(prompt_of(pair.sentence)), most=48)) == pair.answer  # type: ignore[arg-type]


async def test_its_answers_keep_to_the_form_and_become_plans(ollama: str, pairs: list[Pair]) -> None:
    parser = OllamaParser(host=ollama, model=MODEL, timeout=60)
    for said in PLANS[:2]:
        assert (await parser.parse(said, WORDS)).intents == understand(said, WORDS).intents
    with pytest.raises(NotUnderstoodError):
        await parser.parse(NOTHING, WORDS)
    async with AsyncClient(host=ollama, timeout=60) as client:
        form = schema(sorted(MESH), ["v1", "v2"])
        for pair in pairs:
            got = await client.chat(model=MODEL, messages=messages_for(pair.sentence, MESH), format=form)
            assert json.loads(got.message.content or "") == json.loads(pair.answer)

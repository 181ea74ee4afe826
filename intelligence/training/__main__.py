"""`python -m intelligence.training FOLDER --sentences FILE`: trains a model and writes it for `ollama create`.

In the folder afterwards: model.gguf, Modelfile, and training.json, which says how it was made.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch

from intelligence.training import gguf
from intelligence.training.decoder import tensors
from intelligence.training.modelfile import modelfile
from intelligence.training.pairs import Pair, pairs, prompt_of, read_known
from intelligence.training.pieces import learn
from intelligence.training.training import train

_WEIGHTS = "model.gguf"
_LEARNED_FROM = 20_000  # pairs that pieces are learned from: more change little
_TOLD_EVERY = 50  # steps
_SHAPE = gguf.Shape(width=192, feed_forward=512, heads=6, blocks=4, context=2_048)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a model follows from, beside the sentences. shape: its sizes. pieces: at most so many are learned."""

    pairs: int = 60_000
    steps: int = 1_200
    batch: int = 64
    rate: float = 2e-3
    seed: int = 1
    pieces: int = 1_200
    shape: gguf.Shape = _SHAPE


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sentences", "known", type=click.Path(path_type=Path, exists=True), multiple=True, help="to learn from")
@click.option("--without", type=click.Path(path_type=Path, exists=True), multiple=True, help="sentences never learned")
@click.option("--steps", default=Recipe().steps, show_default=True, help="batches; about 0.8 s each on one core")
@click.option("--pairs", "count", default=Recipe().pairs, show_default=True, help="sentences that are made")
@click.option("--threads", default=1, show_default=True)
def main(folder: Path, known: Sequence[Path], without: Sequence[Path], steps: int, count: int, threads: int) -> None:
    """Trains a small model on made sentences, and on those of tables such as tests/data/intents/development.tsv."""
    torch.set_num_threads(threads)
    recipe, start = Recipe(steps=steps, pairs=count), time.monotonic()
    held_out = frozenset(item.sentence for path in without for item in read_known(path.read_text(encoding="utf-8")))
    learned_from = [item for path in known for item in read_known(path.read_text(encoding="utf-8"))]
    made = list(itertools.islice(pairs(learned_from, seed=recipe.seed, without=held_out), recipe.pairs))
    pieces = learn(_texts(made[:_LEARNED_FROM]), count=recipe.pieces)
    click.echo(f"{len(made)} pairs, {len(pieces.texts)} pieces after {time.monotonic() - start:.0f} s", err=True)

    losses: list[float] = []

    def progress(step: int, loss: float) -> None:
        losses.append(loss)
        if step % _TOLD_EVERY == 0:
            click.echo(f"step {step}: loss {loss:.3f} after {time.monotonic() - start:.0f} s", err=True)

    model = train(
        made,
        pieces,
        recipe.shape,
        steps=recipe.steps,
        batch=recipe.batch,
        rate=recipe.rate,
        seed=recipe.seed,
        progress=progress,
    )
    folder.mkdir(parents=True, exist_ok=True)
    gguf.write(folder / _WEIGHTS, name="sentences", shape=recipe.shape, pieces=pieces, tensors=tensors(model))
    (folder / "Modelfile").write_text(modelfile(_WEIGHTS), encoding="utf-8")
    last = losses[-_TOLD_EVERY:]
    facts = {
        "recipe": dataclasses.asdict(recipe),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "loss": round(sum(last) / len(last), 4),
        "seconds": round(time.monotonic() - start),
        "torch": torch.__version__,
    }
    (folder / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{folder / 'Modelfile'}: ollama create NAME -f {folder / 'Modelfile'}")


def _texts(made: Iterable[Pair]) -> Iterable[str]:
    return (text for pair in made for text in (prompt_of(pair.sentence), pair.answer))


if __name__ == "__main__":
    main()

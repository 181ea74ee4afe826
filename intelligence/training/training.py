"""Training: a decoder that answers bare sentences as our pairs do. Deterministic for a seed on one machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from intelligence.training.decoder import Decoder
from intelligence.training.gguf import Shape
from intelligence.training.pairs import Pair, prompt_of
from intelligence.training.pieces import BEGIN, END, Pieces

_IGNORED = -100  # torch's word for "no target"
_WARM, _LAST = 0.03, 0.05  # of all steps; of the highest rate
_POOL = 32  # batches that are sorted by length together


def train(
    pairs: Sequence[Pair],
    pieces: Pieces,
    shape: Shape,
    *,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    progress: Callable[[int, float], None],
) -> Decoder:
    """A decoder after `steps` batches of `batch` pairs; `rate`: the highest learning rate. Only answers are learned,
    sentences are read. `progress` is told the step and the mean loss of its batch, in nats a token."""
    torch.manual_seed(seed)
    chance = random.Random(seed)  # noqa: S311  # no secrets
    model = Decoder(shape, len(pieces.texts))
    norms = [weight for weight in model.parameters() if weight.dim() == 1]
    others = [weight for weight in model.parameters() if weight.dim() > 1]
    groups = [{"params": others, "weight_decay": 0.05}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    rows = [_row(pair, pieces) for pair in pairs]
    batches: list[list[tuple[list[int], int]]] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * _schedule(step / steps)
        if not batches:
            batches = _batches(chance, rows, batch)
        tokens, targets = _padded(batches.pop())
        loss = functional.cross_entropy(model(tokens).flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress(step, float(loss))
    model.eval()
    return model


def _schedule(done: float) -> float:
    """Of the highest rate: up, and down to a twentieth, both in a straight line."""
    return done / _WARM if done < _WARM else 1 - (1 - _LAST) * (done - _WARM) / (1 - _WARM)


def _row(pair: Pair, pieces: Pieces) -> tuple[list[int], int]:
    """The tokens of a pair, and how many of them are the prompt."""
    prompt = [BEGIN, *pieces.cut(prompt_of(pair.sentence))]
    return [*prompt, *pieces.cut(pair.answer), END], len(prompt)


def _batches(
    chance: random.Random, rows: Sequence[tuple[list[int], int]], size: int
) -> list[list[tuple[list[int], int]]]:
    """Some batches of rows that are about as long as one another: padding is computed for nothing."""
    drawn = sorted(chance.sample(rows, min(len(rows), size * _POOL)), key=lambda row: len(row[0]))
    batches = [drawn[at : at + size] for at in range(0, len(drawn), size)]
    chance.shuffle(batches)
    return batches


def _padded(rows: Sequence[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(batch, time) tokens, and the token that follows each where it is one of the answer's."""
    longest = max(len(row) for row, _ in rows) - 1
    tokens = torch.full((len(rows), longest), END)
    targets = torch.full((len(rows), longest), _IGNORED)
    for number, (row, prompt) in enumerate(rows):
        tokens[number, : len(row) - 1] = torch.tensor(row[:-1])
        targets[number, prompt - 1 : len(row) - 1] = torch.tensor(row[prompt:])
    return tokens, targets

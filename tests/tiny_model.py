"""A language model of half a megabyte: two llama layers of random weights over an alphabet of bytes.

It knows nothing, which is what a test of everything around it needs. The file is written by what writes trained models.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from intelligence.training import gguf
from intelligence.training.gguf import Shape, Tensor
from intelligence.training.pieces import Pieces

_SHAPE = Shape(width=64, feed_forward=128, heads=4, blocks=2, context=16_384)
_BYTES = Pieces(())


def write(path: Path, *, seed: int) -> None:
    """Writes a model whose weights follow from `seed`."""
    chance = random.Random(seed)
    tensors = (Tensor(name, shape, gguf.F32, _weights(chance, name, shape)) for name, shape in _shapes())
    gguf.write(path, name="tiny", shape=_SHAPE, pieces=_BYTES, tensors=tensors)


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    width = _SHAPE.width
    square, up, down = (width, width), (width, _SHAPE.feed_forward), (_SHAPE.feed_forward, width)
    words = (width, len(_BYTES.texts))
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd", words),
        ("output_norm", (width,)),
        ("output", words),
    ]
    for block in range(_SHAPE.blocks):
        shapes += [(f"blk.{block}.{name}", square) for name in ("attn_q", "attn_k", "attn_v", "attn_output")]
        shapes += [(f"blk.{block}.{name}", (width,)) for name in ("attn_norm", "ffn_norm")]
        shapes += [(f"blk.{block}.ffn_gate", up), (f"blk.{block}.ffn_up", up), (f"blk.{block}.ffn_down", down)]
    return ((f"{name}.weight", shape) for name, shape in shapes)


def _weights(chance: random.Random, name: str, shape: Sequence[int]) -> bytes:
    count = 1
    for size in shape:
        count *= size
    if "norm" in name:
        return array("f", [1.0] * count).tobytes()
    return array("f", (chance.gauss(0.0, 0.05) for _ in range(count))).tobytes()

"""Writes GGUF 3, the file of weights that llama.cpp and Ollama read (ggml's documentation, "GGUF"): a header, key-value
pairs, a table of tensors, and their data, aligned."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from intelligence.training.pieces import BEGIN, END, UNKNOWN, Pieces

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_ALIGNMENT = 32
F32: Final = 0
F16: Final = 1
Value: TypeAlias = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Tensor:
    """shape: the innermost dimension first, as ggml counts: (in, out) of a matrix that is applied to rows.
    data: little-endian numbers of `type`."""

    name: str
    shape: tuple[int, ...]
    type: Literal[0, 1]
    data: bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """What a decoder of the architecture "llama" is: sizes, all of them numbers of features but `blocks`, `heads` and
    `context` (tokens). Rotary embeddings turn neighbouring pairs of features, at the base 10,000."""

    width: int
    feed_forward: int
    heads: int
    blocks: int
    context: int

    @property
    def head(self) -> int:
        return self.width // self.heads


def write(path: Path, *, name: str, shape: Shape, pieces: Pieces, tensors: Iterable[Tensor]) -> None:
    """Writes a model. Tensors are named as llama.cpp names them: token_embd, blk.0.attn_q, …, each with ".weight"."""
    table, data, count = b"", bytearray(), 0
    for tensor in tensors:
        data += b"\0" * (-len(data) % _ALIGNMENT)
        dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        table += _text(tensor.name) + dimensions + struct.pack("<IQ", tensor.type, len(data))
        data += tensor.data
        count += 1
    pairs = [_text(key) + _value(value) for key, value in _metadata(name, shape, pieces).items()]
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(pairs)) + b"".join(pairs) + table
    path.write_bytes(head + b"\0" * (-len(head) % _ALIGNMENT) + bytes(data))


def _metadata(name: str, shape: Shape, pieces: Pieces) -> Mapping[str, Value]:
    return {
        "general.architecture": "llama",
        "general.name": name,
        "general.file_type": 1,
        "llama.context_length": shape.context,
        "llama.embedding_length": shape.width,
        "llama.block_count": shape.blocks,
        "llama.feed_forward_length": shape.feed_forward,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": shape.head,
        "llama.rope.freq_base": 10_000.0,
        "llama.vocab_size": len(pieces.texts),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.unknown_token_id": UNKNOWN,
        "tokenizer.ggml.bos_token_id": BEGIN,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.tokens": pieces.texts,
        "tokenizer.ggml.scores": pieces.scores,
        "tokenizer.ggml.token_type": pieces.kinds,
    }


def _value(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case str():
            return struct.pack("<I", _STRING) + _text(value)
        case int():
            return struct.pack("<II", _UINT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case _:
            return _array(value)


def _array(values: Sequence[str] | Sequence[int] | Sequence[float]) -> bytes:
    match values[0]:
        case str():
            kind, body = _STRING, b"".join(_text(str(value)) for value in values)
        case int():
            kind, body = _INT32, struct.pack(f"<{len(values)}i", *values)
        case _:
            kind, body = _FLOAT32, struct.pack(f"<{len(values)}f", *values)
    return struct.pack("<IIQ", _ARRAY, kind, len(values)) + body


def _text(text: str) -> bytes:
    body = text.encode()
    return struct.pack("<Q", len(body)) + body

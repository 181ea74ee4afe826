"""A language model of half a megabyte, written by hand: two llama layers of random weights over an alphabet of bytes.

It knows nothing, which is what a test of everything around it needs. The file format is GGUF 3 (ggml's documentation,
"GGUF"): a header, key-value pairs, a table of tensors, and their data, aligned.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path

_EMBEDDING, _FEED_FORWARD, _HEADS, _BLOCKS, _CONTEXT = 64, 128, 4, 2, 16_384
_SPECIAL = ("<unk>", "<s>", "</s>")
_TOKENS = (*_SPECIAL, *(f"<0x{value:02X}>" for value in range(256)))
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_ALIGNMENT = 32


def write(path: Path, *, seed: int) -> None:
    """Writes a model whose weights follow from `seed`."""
    chance = random.Random(seed)
    tensors = [(name, shape, _weights(chance, name, shape)) for name, shape in _shapes()]
    table, data = b"", b""
    for name, shape, values in tensors:
        data += b"\0" * (-len(data) % _ALIGNMENT)
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += _text(name) + dimensions + struct.pack("<IQ", 0, len(data))  # type 0: 32-bit floats
        data += values
    pairs = _pairs()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + table
    path.write_bytes(head + b"\0" * (-len(head) % _ALIGNMENT) + data)


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    square, up, down = (_EMBEDDING, _EMBEDDING), (_EMBEDDING, _FEED_FORWARD), (_FEED_FORWARD, _EMBEDDING)
    words = (_EMBEDDING, len(_TOKENS))
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd", words),
        ("output_norm", (_EMBEDDING,)),
        ("output", words),
    ]
    for block in range(_BLOCKS):
        shapes += [(f"blk.{block}.{name}", square) for name in ("attn_q", "attn_k", "attn_v", "attn_output")]
        shapes += [(f"blk.{block}.{name}", (_EMBEDDING,)) for name in ("attn_norm", "ffn_norm")]
        shapes += [(f"blk.{block}.ffn_gate", up), (f"blk.{block}.ffn_up", up), (f"blk.{block}.ffn_down", down)]
    return [(f"{name}.weight", shape) for name, shape in shapes]


def _weights(chance: random.Random, name: str, shape: Sequence[int]) -> bytes:
    count = 1
    for size in shape:
        count *= size
    if "norm" in name:
        return array("f", [1.0] * count).tobytes()
    return array("f", (chance.gauss(0.0, 0.05) for _ in range(count))).tobytes()


def _pairs() -> list[bytes]:
    count = len(_TOKENS)
    kinds = [2, 3, 3] + [6] * 256  # unknown, control, control, then bytes
    numbers = {
        "llama.context_length": _CONTEXT,
        "llama.embedding_length": _EMBEDDING,
        "llama.block_count": _BLOCKS,
        "llama.feed_forward_length": _FEED_FORWARD,
        "llama.attention.head_count": _HEADS,
        "llama.attention.head_count_kv": _HEADS,
        "llama.rope.dimension_count": _EMBEDDING // _HEADS,
        "llama.vocab_size": count,
        "general.file_type": 0,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }
    texts = {"general.architecture": "llama", "general.name": "tiny", "tokenizer.ggml.model": "llama"}
    return [
        *(_text(key) + struct.pack("<I", _STRING) + _text(value) for key, value in texts.items()),
        *(_text(key) + struct.pack("<II", _UINT32, value) for key, value in numbers.items()),
        _text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", _FLOAT32, 1e-5),
        _array("tokenizer.ggml.tokens", _STRING, b"".join(_text(token) for token in _TOKENS)),
        _array("tokenizer.ggml.scores", _FLOAT32, struct.pack(f"<{count}f", *([0.0] * count))),
        _array("tokenizer.ggml.token_type", _INT32, struct.pack(f"<{count}i", *kinds)),
    ]


def _array(key: str, kind: int, values: bytes) -> bytes:
    return _text(key) + struct.pack("<IIQ", _ARRAY, kind, len(_TOKENS)) + values


def _text(text: str) -> bytes:
    body = text.encode()
    return struct.pack("<Q", len(body)) + body

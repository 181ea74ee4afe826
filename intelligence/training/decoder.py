"""A decoder of the architecture "llama", in torch: rotary positions, gated feed-forward (SwiGLU).

Rotary embeddings turn the features (0, 1), (2, 3), … as llama.cpp does for this architecture, so that the weights are
written as they are; who turns the two halves of a head instead, as other implementations do, must permute them first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from intelligence.training import gguf
from intelligence.training.gguf import Shape
from intelligence.training.pieces import BEGIN, END

_BASE = 10_000.0
_EPSILON = 1e-5


class Decoder(nn.Module):
    """Tokens to the scores of the next one. The same matrix reads tokens and scores them."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(vocabulary, shape.width)
        self.blk = nn.ModuleList(_Block(shape) for _ in range(shape.blocks))
        self.output_norm = nn.RMSNorm(shape.width, eps=_EPSILON)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token_embd(tokens)  # (batch, time, width)
        turn = _turns(tokens.shape[1], self.shape.head)  # (time, head / 2)
        for block in self.blk:
            x = block(x, turn)
        return self.output_norm(x) @ self.token_embd.weight.T  # (batch, time, vocabulary)


class _Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = nn.RMSNorm(shape.width, eps=_EPSILON)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=_EPSILON)
        self.ffn_gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        y = self.attn_norm(x)
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, time, head)
            for layer in (self.attn_q, self.attn_k, self.attn_v)
        )
        seen = functional.scaled_dot_product_attention(_turned(q, turn), _turned(k, turn), v, is_causal=True)
        x = x + self.attn_output(seen.transpose(1, 2).flatten(2))
        y = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y))


def _turns(time: int, head: int) -> Tensor:
    """By how much features turn at each position: (time, head / 2), complex numbers of length one."""
    speeds = _BASE ** (-torch.arange(0, head, 2, dtype=torch.float32) / head)
    angles = torch.outer(torch.arange(time, dtype=torch.float32), speeds)
    return torch.polar(torch.ones_like(angles), angles)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())  # (batch, heads, time, head / 2)
    return torch.view_as_real(pairs * turn).flatten(-2)


def greedy(model: Decoder, prompt: Sequence[int], *, most: int) -> list[int]:
    """The likeliest continuation of BEGIN and the prompt, token by token, until END or `most` tokens."""
    tokens = [BEGIN, *prompt]
    with torch.no_grad():
        for _ in range(most):
            following = int(model(torch.tensor([tokens]))[0, -1].argmax())
            if following == END:
                break
            tokens.append(following)
    return tokens[len(prompt) + 1 :]


def tensors(model: Decoder) -> Iterator[gguf.Tensor]:
    """The weights as GGUF holds them: matrices of 16-bit floats, norms of 32-bit ones, as ggml wants both."""
    for name, weight in model.state_dict().items():
        shape, matrix = tuple(reversed(weight.shape)), weight.dim() > 1
        values = (weight.half() if matrix else weight.float()).contiguous().numpy()
        yield gguf.Tensor(name, shape, gguf.F16 if matrix else gguf.F32, values.tobytes())

"""The pieces that text is cut into, learned from text: what llama.cpp calls an SPM vocabulary, cut as it cuts.

A vocabulary is the three marks, the 256 bytes, "▁" (a space), and learned pieces, the earlier learned the likelier.
Digits stand alone, so that a number is copied digit by digit.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

UNKNOWN, BEGIN, END = 0, 1, 2
MARKS = ("<unk>", "<s>", "</s>")
_SPACE = "▁"
_FIRST_BYTE = len(MARKS)
# Where pieces may be learned: a word with the space before it, or a name in JSON with the marks around it.
_CHUNK = re.compile(r" ?[A-Za-z']+(?:[-_][A-Za-z]+)*(?:\":)?|[^A-Za-z0-9 ]+[A-Za-z_]*(?:\":)?|[0-9]| ")


@dataclass(frozen=True)
class Pieces:
    """learned: texts of the pieces, a space as "▁"; the first the likeliest. Ids: marks, bytes, "▁", learned ones."""

    learned: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {text: number for number, text in enumerate(self.texts)})

    @property
    def texts(self) -> tuple[str, ...]:
        """Of each id, as GGUF's `tokenizer.ggml.tokens` holds them."""
        return (*MARKS, *(f"<0x{value:02X}>" for value in range(256)), _SPACE, *self.learned)

    @property
    def scores(self) -> tuple[float, ...]:
        """Of each id: the higher is joined first."""
        first = len(self.texts) - len(self.learned)
        return tuple(0.0 if number < first else float(first - number) for number in range(len(self.texts)))

    @property
    def kinds(self) -> tuple[int, ...]:
        """Of each id, as llama.cpp numbers them: 1 normal, 2 unknown, 3 control, 6 byte."""
        return (2, 3, 3, *[6] * 256, *[1] * (1 + len(self.learned)))

    def cut(self, text: str) -> list[int]:
        """The ids of a text, as llama.cpp's `llm_tokenizer_spm` cuts it: neighbours whose joint text is a piece are
        joined, the likeliest pair first, the leftmost of equals; what is no piece in the end becomes bytes."""
        symbols = list(text.replace(" ", _SPACE))
        after = [*range(1, len(symbols)), -1]
        before = list(range(-1, len(symbols) - 1))
        queue: list[tuple[float, int, int, int]] = []

        def offer(left: int, right: int) -> None:
            if left < 0 or right < 0:
                return
            joint = symbols[left] + symbols[right]
            if (number := self._ids.get(joint)) is not None:
                heapq.heappush(queue, (number, left, right, len(joint)))

        for left, right in enumerate(after):
            offer(left, right)
        while queue:
            _, left, right, size = heapq.heappop(queue)
            if not symbols[left] or not symbols[right] or len(symbols[left]) + len(symbols[right]) != size:
                continue
            symbols[left] += symbols[right]
            symbols[right] = ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [number for symbol in symbols if symbol for number in self._of(symbol)]

    def _of(self, symbol: str) -> Iterable[int]:
        number = self._ids.get(symbol)
        return (number,) if number is not None else (_FIRST_BYTE + value for value in symbol.encode())

    def joined(self, numbers: Sequence[int]) -> str:
        """The text of ids; marks are nothing."""
        texts = self.texts
        body = b"".join(
            bytes([number - _FIRST_BYTE]) if number < _FIRST_BYTE + 256 else texts[number].replace(_SPACE, " ").encode()
            for number in numbers
            if number >= _FIRST_BYTE
        )
        return body.decode(errors="replace")


def learn(texts: Iterable[str], *, count: int) -> Pieces:
    """At most `count` pieces by byte pair encoding (Sennrich et al., 2016): the commonest pair of neighbours is joined,
    and again. Ties by text, so that the same texts make the same pieces."""
    counts = Counter(chunk for text in texts for chunk in _CHUNK.findall(text))
    words = [(list(chunk.replace(" ", _SPACE)), number) for chunk, number in counts.items() if chunk.isascii()]
    learned: list[str] = []
    while len(learned) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, number in words:
            for pair in itertools.pairwise(symbols):
                pairs[pair] += number
        if not pairs:
            break
        (left, right), number = max(pairs.items(), key=lambda item: (item[1], item[0]))
        if number < 2:
            break
        learned.append(left + right)
        for symbols, _ in words:
            at = 0
            while at < len(symbols) - 1:
                if symbols[at] == left and symbols[at + 1] == right:
                    symbols[at : at + 2] = [left + right]
                at += 1
    return Pieces(tuple(dict.fromkeys(learned)))

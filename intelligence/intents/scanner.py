"""From text to pieces: words, numbers and what is stuck to them, addresses, paths, marks. None has a meaning yet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_SPACELESS = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
SPACELESS = re.compile(rf"[{_SPACELESS}]+")
"""Runs of scripts in which words are not, or not wholly, parted by spaces: Thai, kana, Han, Hangul."""
_JOINTS = re.compile(rf"(?<=[{_SPACELESS}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%])(?=[{_SPACELESS}])")

_SCAN = re.compile(
    r"""
    (?P<url>https?://[^\s,;"']+)
  | (?P<quoted>"[^"\n]{1,120}")
  | (?P<share>\bv\d[\w.]*|\bcanary|\bstable)\s?[=:]\s?(?=\d+\s?%)
  | (?P<pair>(?:\bheader\s+)?\b[a-z][a-z0-9]*(?:-[a-z0-9]+)+\s*(?:[:=]|==)\s*"?[\w.*@-]+"?)
  | (?P<date>\d{4}-\d{2}-\d{2})
  | (?P<clock>(?:[01]?\d|2[0-3]):[0-5]\d(?![\d/:%])(?:\s?[ap]m\b)?|\d{1,2}\s?[ap]m\b)
  | (?P<address>\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?)
  | (?P<ratio>\d{1,3}(?:\.\d{1,2})?%?(?:\s?[/:]\s?\d{1,3}(?:\.\d{1,2})?%?)+(?![\w%])|\d{1,3}-\d{1,3}(?![\w%]))
  | (?P<percent>\d+(?:[.,]\d+)?\s?[%٪％])
  | (?P<number>\d+(?:[.,]\d+)*(?![\w.]*-[\w]))(?P<unit>[^\W\d_]+)?(?![\w])
  | (?P<slashed>[a-z0-9][\w-]*/[a-z][\w-]*)
  | (?P<per>(?<=\d)/(?:s|sec|secs|second|min|minute|h|hr|hour)\b)
  | (?P<path>/(?:[\w.*-]+/?)+)
  | (?P<word>\w+(?:[.'’-]\w+)*)
  | (?P<mark>->|=>|[<>]=?|==|[^\s\w])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PERCENT_FIRST = re.compile(r"(?<![\w%])%\s?(\d{1,3}(?:[.,]\d{1,2})?)(?![\w%])")
"""Turkish writes %20."""
_QUOTES = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "`": '"', "–": "-", "—": "-", "−": "-"}
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. `word` is it in lower case; `kind` names the group that found it."""

    kind: str
    text: str
    word: str
    start: int


def normal(text: str) -> str:
    """The text in one form: compatibility characters resolved, straight quotes, invisible characters gone."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = "".join(
        " " if c in "\t\r\v\f" else c for c in text if c == "\n" or c.isspace() or unicodedata.category(c)[0] != "C"
    )
    return _JOINTS.sub(" ", _PERCENT_FIRST.sub(r"\1%", text))


def scan(text: str) -> Iterator[Piece]:
    """The pieces of `text`, which is in normal form."""
    for found in _SCAN.finditer(text):
        kind = found.lastgroup or "mark"
        if kind == "unit":  # a number with letters stuck to it is two pieces
            number, unit = found["number"], found["unit"]
            yield Piece("number", number, number, found.start())
            yield Piece("word", unit, unit.lower(), found.start() + len(number))
            continue
        if kind == "share":  # "v1=60%" is a version and a percentage
            yield Piece("word", found["share"], found["share"].lower(), found.start())
            continue
        if kind == "per":  # "10/s"
            yield Piece("mark", "/", "/", found.start())
            yield Piece("word", found.group()[1:], found.group()[1:].lower(), found.start() + 1)
            continue
        if kind == "slashed":
            yield from _slashed(found)
            continue
        yield Piece(kind, found.group(), found.group().lower(), found.start())


def _slashed(found: re.Match[str]) -> Iterator[Piece]:
    """ "default/payment" may be one name, "requests/minute" never is: whoever reads the pieces joins them again."""
    left, right = found.group().split("/", 1)
    yield Piece("word", left, left.lower(), found.start())
    yield Piece("mark", "/", "/", found.start() + len(left))
    yield Piece("word", right, right.lower(), found.start() + len(left) + 1)

"""Regular expressions as Envoy reads them: RE2, bounded in what they cost."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

MAX_PROGRAM = 100
"""Instructions of RE2. Envoy refuses more, unless its runtime says otherwise (`re2.max_program_size.error_level`)."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class Pattern:
    """A compiled expression."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401  # of a package without types
        self._compiled = compiled

    def covers(self, text: str) -> bool:
        """Whether all of `text` matches, as Envoy asks."""
        return self._compiled.fullmatch(text) is not None

    @property
    def program_size(self) -> int:
        return int(self._compiled.programsize)


@lru_cache(maxsize=10_000)
def pattern(text: str) -> Pattern:
    """`text`, compiled.

    Raises:
        ValueError: RE2 refuses it, or it is too costly; in words for who wrote it.
    """
    try:
        compiled = Pattern(re2.compile(text, _OPTIONS))
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"a regular expression that RE2 takes: {words}") from None
    except UnicodeEncodeError:
        raise ValueError("a regular expression that RE2 takes: it holds half a character") from None
    if compiled.program_size > MAX_PROGRAM:
        raise ValueError(
            f"a regular expression that costs less: at most {MAX_PROGRAM} instructions of RE2, "
            f"and this takes {compiled.program_size:,} (shorter, or fewer and smaller repetitions)"
        )
    return compiled


def regex(text: str) -> str:
    """`text`, which is a regular expression. Raises ValueError as `pattern` does."""
    pattern(text)
    return text

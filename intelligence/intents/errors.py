"""The errors of intents. Each message is what the person who said the sentence reads; nothing was changed.

IntentError
├── NotUnderstoodError        no rule fits; carries the nearest sentences that do
├── UnknownNameError          a service or version that does not exist; carries the nearest that do
├── AmbiguousError            it could mean several things; carries the choices
├── ContradictionError        shares that cannot be
└── ParserUnavailableError    this parser cannot answer now; another may
"""

from __future__ import annotations


class IntentError(Exception):
    """The root of this package's errors."""


class NotUnderstoodError(IntentError):
    """No rule fits the sentence."""

    def __init__(self, sentence: str, nearest: tuple[str, ...], *, because: str = "") -> None:
        self.sentence = sentence
        self.nearest = nearest
        reason = f" ({because})" if because else ""
        hints = "".join(f"\n  · {example}" for example in nearest)
        super().__init__(
            f'not understood{reason}: "{sentence[:200]}"; nothing was changed'
            + (f". These would be understood:{hints}" if nearest else "")
        )


class UnknownNameError(IntentError):
    """A name that nothing has."""

    def __init__(self, what: str, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f'no {what} "{name}": there is {", ".join(known) or "none"}; nothing was changed')


class AmbiguousError(IntentError):
    """It could mean several things."""

    def __init__(self, question: str, choices: tuple[str, ...]) -> None:
        self.choices = choices
        super().__init__(f"{question} {' or '.join(choices)}? Say it again with one of them; nothing was changed")


class ContradictionError(IntentError):
    """Shares that cannot be."""


class ParserUnavailableError(IntentError):
    """This parser cannot answer now."""

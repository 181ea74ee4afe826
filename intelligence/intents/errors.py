"""The errors of intents. Each message is what the person who said the sentence reads; nothing was changed.

IntentError
├── NotUnderstoodError        no frame fits; carries the nearest sentences that do
├── UnknownNameError          a service or version that does not exist; carries the nearest that do
├── AmbiguousError            something is missing, or could mean several things; carries the choices: it is asked back
├── ContradictionError        what cannot be
├── UnsupportedError          understood, and nothing here can do it yet
└── ParserUnavailableError    this parser cannot answer now; another may
"""

from __future__ import annotations


class IntentError(Exception):
    """The root of this package's errors."""


class NotUnderstoodError(IntentError):
    """No frame fits the sentence, or a part of it: `part`."""

    def __init__(
        self, sentence: str, nearest: tuple[str, ...], *, because: str = "", parts: tuple[str, ...] = ()
    ) -> None:
        self.sentence = sentence
        self.nearest = nearest
        self.parts = parts or (sentence,)
        reason = f" ({because})" if because else ""
        hints = "".join(f"\n  · {example}" for example in nearest)
        super().__init__(
            f'not understood{reason}: "{sentence[:200]}"; nothing was changed'
            + (f". These would be understood:{hints}" if nearest else "")
        )


class UnknownNameError(IntentError):
    """A name that nothing has."""

    def __init__(self, what: str, name: str, known: tuple[str, ...]) -> None:
        self.what = what
        self.name = name
        self.known = known
        super().__init__(f'no {what} "{name}": there is {", ".join(known) or "none"}; nothing was changed')


class AmbiguousError(IntentError):
    """Something that only the person who said it can tell. `what` names it: "service", "version", "header" …"""

    def __init__(self, question: str, choices: tuple[str, ...] = (), *, what: str = "meaning") -> None:
        self.question = question
        self.choices = choices
        self.what = what
        offered = f" {' or '.join(choices)}?" if choices else ""
        super().__init__(f"{question}{offered} Say it again with that; nothing was changed")


class ContradictionError(IntentError):
    """What cannot be."""


class UnsupportedError(IntentError):
    """It is understood, and nothing here can do it yet."""


class ParserUnavailableError(IntentError):
    """This parser cannot answer now."""

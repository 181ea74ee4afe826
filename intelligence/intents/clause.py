"""One instruction as tokens, with what the rest of the text says about it; and the questions that frames ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnknownNameError
from intelligence.intents.lexicon import bit, mask
from intelligence.intents.names import Vocabulary
from intelligence.intents.token import (
    ADDRESS,
    BACKEND,
    COUNTRY,
    DURATION,
    METHOD,
    NUMBER,
    ROLE,
    SERVICE,
    STRANGER,
    VERSION,
    Token,
)
from registry.model import ServiceKey

_EVERYTHING = mask("EVERY SERVICENOUN ALL EXTERNAL ZEROTRUST")
_IT = bit("IT")


class MisfitError(Exception):
    """The frame does not fit after all: another may."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a clause may take from the rest of the text, or from the talk before it.

    service: the only one that the sentence names. referent: the one that "it" means. framed: the one that a heading
    names. named_elsewhere: another part of the sentence names one.
    """

    vocabulary: Vocabulary
    service: ServiceKey | None = None
    referent: ServiceKey | None = None
    named_elsewhere: bool = False
    framed: ServiceKey | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """The tokens of one instruction, silent ones included, in order."""

    tokens: tuple[Token, ...]
    surroundings: Surroundings

    @property
    def vocabulary(self) -> Vocabulary:
        return self.surroundings.vocabulary

    def has(self, labels: str) -> bool:
        wanted = mask(labels)
        return any(token.mask & wanted for token in self.tokens)

    def all(self, labels: str) -> list[Token]:
        wanted = mask(labels)
        return [token for token in self.tokens if token.mask & wanted]

    def place(self, labels: str, *, start: int = 0) -> int | None:
        """Where the first token with one of `labels` stands, from `start` on."""
        wanted = mask(labels)
        return next((i for i in range(start, len(self.tokens)) if self.tokens[i].mask & wanted), None)

    def of_kind(self, *kinds: str) -> list[Token]:
        return [token for token in self.tokens if token.kind in kinds]

    def only(self, kind: str) -> Token | None:
        """The token of that kind; None without one. Raises MisfitError if there are several."""
        found = self.of_kind(kind)
        if len(found) > 1:
            raise MisfitError
        return found[0] if found else None

    def duration(self) -> timedelta | None:
        found = self.only(DURATION)
        return found.duration if found else None

    def whole(self) -> int | None:
        """The one bare number. Raises MisfitError for several; ContradictionError for one that is not whole."""
        found = self.only(NUMBER)
        return whole(found) if found else None

    def percent(self) -> Decimal | None:
        found = self.only("amount")
        return found.numbers[0] if found else None

    # --- names ---

    def services(self) -> list[ServiceKey]:
        """The services that the clause names, in order. Raises IntentError for unknown or ambiguous names."""
        found: list[ServiceKey] = []
        for token in self.tokens:
            for key in self.resolved(token):
                if key not in found:
                    found.append(key)
        return found

    def resolved(self, token: Token) -> list[ServiceKey]:
        if token.kind == BACKEND:
            return list(token.services)
        if token.kind == SERVICE:
            return [self.vocabulary.service(name) for name in token.names]
        if token.kind == STRANGER:
            raise UnknownNameError("service", token.text, self.vocabulary.nearest(token.text))
        return []

    @property
    def says_all(self) -> bool:
        """Whether it says that all services are meant."""
        return any(token.mask & _EVERYTHING for token in self.tokens)

    def target(self, *, all_if_unsaid: bool = True) -> list[ServiceKey | None]:
        """Whom it is about: the named services, or [None] for all.

        Raises:
            AmbiguousError: none is named, and "all" is not said while others are named elsewhere.
        """
        if len(self.of_kind(SERVICE, STRANGER, BACKEND)) > 1:
            raise MisfitError
        named = self.services()
        if named:
            return list(named)
        if self.has("IT"):
            return [self._referent()]
        if self.says_all:
            return [None]
        if self.surroundings.framed is not None:
            return [self.surroundings.framed]
        if not all_if_unsaid:
            return [self.one_service()]
        if self.surroundings.named_elsewhere:
            if self.surroundings.service is not None:
                raise AmbiguousError(
                    "for which services:", (str(self.surroundings.service), "all services"), what="service"
                )
            raise AmbiguousError("for which services:", self._choices(), what="service")
        return [None]

    def one_service(self, *, having: Sequence[str] = ()) -> ServiceKey:
        """The one service that it is about; `having`: it must have these versions to be found without a name.

        Raises:
            MisfitError: several are named. AmbiguousError: none is, and several could be meant.
        """
        named = self.services()
        if len(named) > 1:
            raise MisfitError
        if named:
            return named[0]
        if self.has("IT") and self.surroundings.referent is not None:
            return self.surroundings.referent
        if self.surroundings.service is not None:
            return self.surroundings.service
        keys = list(self.vocabulary.versions)
        fitting = [key for key in keys if having and all(self.vocabulary.has_version(key, said) for said in having)]
        if len(fitting) == 1:
            return fitting[0]
        if self.has("IT"):
            return self._referent()
        if len(keys) == 1:
            return keys[0]
        choices = fitting or [key for key in keys if self.vocabulary.versions[key]] or keys
        raise AmbiguousError("of which service:", tuple(str(key) for key in choices[:10]), what="service")

    def some_services(self) -> list[ServiceKey]:
        """One or a list of services; never all without a name."""
        if len(self.of_kind(SERVICE, STRANGER, BACKEND)) > 1:
            raise MisfitError
        return self.services() or [self.one_service()]

    def _referent(self) -> ServiceKey:
        referent = self.surroundings.referent or self.surroundings.service
        if referent is None:
            raise AmbiguousError('what does "it" mean:', self._choices(), what="service")
        return referent

    def _choices(self) -> tuple[str, ...]:
        return tuple(str(key) for key in list(self.vocabulary.versions)[:10])

    def versions(self) -> list[Token]:
        return self.of_kind(VERSION, BACKEND, ROLE)

    def version_of(self, service: ServiceKey, token: Token) -> str:
        """The version of `service` that a token means. Raises UnknownNameError, AmbiguousError, MisfitError."""
        if token.kind == ROLE:
            return self.vocabulary.by_role(service, token.names[0])
        if token.kind == BACKEND and token.services[0] != service:
            raise MisfitError
        return self.vocabulary.version(service, token.names[0])

    def countries(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for token in self.of_kind(COUNTRY) for name in token.names))

    def addresses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for token in self.of_kind(ADDRESS) for name in token.names))

    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for token in self.of_kind(METHOD) for name in token.names))


def whole(token: Token) -> int:
    """A number token's value. Raises ContradictionError if it is not whole."""
    value = token.numbers[0]
    if value != value.to_integral_value():
        raise ContradictionError(f"{token.text}: want a whole number; nothing was changed")
    return int(value)

"""The built-in parser: a small grammar over tokens. Deterministic, without a network, and it would rather refuse.

A rule is a pattern over the kinds of tokens; all of a sentence must fit one. Nothing is skipped, so a negation, a
condition or a word that is not known makes a sentence not understood, however much of it would fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from intelligence.intents.errors import AmbiguousError, ContradictionError, NotUnderstoodError, UnknownNameError
from intelligence.intents.examples import nearest
from intelligence.intents.intents import Share, TrafficSplit, Understanding
from intelligence.intents.names import Vocabulary
from intelligence.intents.tokens import Kind, Token, backend, tokens
from registry.model import ServiceKey

_MAX_TOKENS = 60
_WHOLE = Decimal(100)
_SUBJECT = "O?(?:SN?|NOSN?|N)"  # payment traffic; of payment traffic; the traffic of payment; traffic
_PART = "[WP]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over the letters of `Kind`, and how the shares are read from a sentence that fits it."""

    says: str
    pattern: str
    shares: Callable[[Sequence[Token]], list[tuple[Token, Decimal | None]]]


def _paired(sentence: Sequence[Token]) -> list[tuple[Token, Decimal | None]]:
    """Each amount goes with the version after it; None stands for the rest."""
    shares: list[tuple[Token, Decimal | None]] = []
    amount: Decimal | None = _WHOLE
    for token in sentence:
        match token.kind:
            case Kind.AMOUNT:
                amount = token.amounts[0]
            case Kind.REST:
                amount = None
            case Kind.VERSION | Kind.BACKEND:
                shares.append((token, amount))
            case _:
                pass
    return shares


def _swapped(sentence: Sequence[Token]) -> list[tuple[Token, Decimal | None]]:
    """One version with one amount, the version first."""
    [version] = [token for token in sentence if token.kind in (Kind.VERSION, Kind.BACKEND)]
    [amount] = [token for token in sentence if token.kind is Kind.AMOUNT]
    return [(version, amount.amounts[0])]


def _in_turn(sentence: Sequence[Token]) -> list[tuple[Token, Decimal | None]]:
    """As many amounts as versions, in the same order; "evenly" makes them equal."""
    versions = [token for token in sentence if token.kind in (Kind.VERSION, Kind.BACKEND)]
    stated = [amount for token in sentence for amount in token.amounts]
    if any(token.kind is Kind.EVENLY for token in sentence):
        if _WHOLE % len(versions):
            raise ContradictionError(f"{len(versions)} equal shares do not make 100%: say each; nothing was changed")
        stated = [_WHOLE / len(versions)] * len(versions)
    if len(stated) != len(versions):
        raise ContradictionError(
            f"{len(stated)} shares for {len(versions)} versions: want one for each; nothing was changed"
        )
    if sum(stated) != _WHOLE:
        raise ContradictionError(f"{'/'.join(str(part) for part in stated)} is not 100 in all; nothing was changed")
    return list(zip(versions, stated, strict=True))


RULES: tuple[Rule, ...] = (
    Rule(
        "route 20% of payment traffic to v2 and the rest to v1",
        f"VA{_SUBJECT}?T{_PART}(?:&+[AR]N?{_SUBJECT}?T{_PART})*(?:OSN?)?",
        _paired,
    ),
    Rule("send payment traffic to v2", f"V{_SUBJECT}T{_PART}", _paired),
    Rule(
        "split payment traffic 80% to v1 and 20% to v2",
        f"V{_SUBJECT}H*ATN?{_PART}(?:&+[AR]N?T{_PART})+".replace("ATN?", "AN?T"),
        _paired,
    ),
    Rule(
        "split payment traffic 80/20 between v1 and v2",
        f"V{_SUBJECT}(?:Q|E|A(?:&+A)+)B{_PART}(?:&+{_PART})+",
        _in_turn,
    ),
    Rule("split payment between v1 and v2 50/50", f"V{_SUBJECT}B{_PART}(?:&+{_PART})+(?:Q|E|H?A(?:&+A)+)", _in_turn),
    Rule("give v2 20% of payment traffic", f"V{_PART}A{_SUBJECT}", _swapped),
    Rule("set payment v2 to 20%", f"VS?{_PART}TA(?:{_SUBJECT})?", _swapped),
    Rule("send 20% to v2 of payment", f"VAT{_PART}OSN?", _paired),
)


class GrammarParser:
    """The parser that needs nothing but the mesh's names."""

    name = "grammar"

    async def parse(self, sentence: str, vocabulary: Vocabulary) -> Understanding:
        """Raises IntentError."""
        return understand(sentence, vocabulary)


def understand(sentence: str, vocabulary: Vocabulary) -> Understanding:
    """The one split that `sentence` asks for.

    Raises:
        NotUnderstoodError, UnknownNameError, AmbiguousError, ContradictionError
    """
    said = tokens(sentence, vocabulary)
    if len(said) > _MAX_TOKENS:
        raise NotUnderstoodError(sentence, nearest(sentence, vocabulary), because="too long")
    rule = _fitting(said)
    if rule is None:
        raise _why_not(sentence, said, vocabulary)
    service = _service(sentence, said, vocabulary)
    split = TrafficSplit(service, tuple(_shares(service, rule.shares(said), vocabulary)))
    exact = any(token.kind is Kind.BACKEND or token.text in (service.name, str(service)) for token in said)
    return Understanding((split,), (str(split),), 1.0 if exact else 0.9, GrammarParser.name)


def _fitting(said: Sequence[Token]) -> Rule | None:
    letters = "".join(token.kind.value for token in said)
    return next((rule for rule in RULES if re.fullmatch(rule.pattern, letters)), None)


def _service(sentence: str, said: Sequence[Token], vocabulary: Vocabulary) -> ServiceKey:
    services = {vocabulary.service(token.text) for token in said if token.kind is Kind.SERVICE}
    services |= {vocabulary.service(backend(token.text, vocabulary)[0]) for token in said if token.kind is Kind.BACKEND}
    match sorted(services):
        case [service]:
            return service
        case []:
            versioned = tuple(key.name for key, versions in vocabulary.versions.items() if versions)
            if not versioned:
                raise NotUnderstoodError(sentence, nearest(sentence, vocabulary), because="no service is named")
            raise AmbiguousError("the traffic of which service:", versioned)
        case several:
            names = " and ".join(str(service) for service in several)
            raise NotUnderstoodError(
                sentence, nearest(sentence, vocabulary), because=f"it names {names}: one at a time"
            )


def _shares(service: ServiceKey, stated: Sequence[tuple[Token, Decimal | None]], vocabulary: Vocabulary) -> list[Share]:
    given = sum((amount for _, amount in stated if amount is not None), Decimal(0))
    shares = []
    for token, amount in stated:
        said = backend(token.text, vocabulary)[1] if token.kind is Kind.BACKEND else token.text
        shares.append(Share(vocabulary.version(service, said), amount if amount is not None else _WHOLE - given))
    total = sum((share.percent for share in shares), Decimal(0))
    if len(shares) > 1 and total != _WHOLE:
        listed = ", ".join(str(share) for share in shares)
        raise ContradictionError(f"{listed} is {total.normalize():f}% in all, want 100%; nothing was changed")
    return shares


def _why_not(sentence: str, said: Sequence[Token], vocabulary: Vocabulary) -> Exception:
    """The most helpful refusal: a sentence that would fit but for a name is about that name."""
    hints = nearest(sentence, vocabulary)
    unknown = [token for token in said if token.kind is Kind.UNKNOWN]
    if len(unknown) == 1:
        [stranger] = unknown
        for kind, what in ((Kind.SERVICE, "service"), (Kind.VERSION, "version")):
            guess = [Token(kind, token.text) if token is stranger else token for token in said]
            if _fitting(guess) is not None:
                known = (
                    tuple(key.name for key in vocabulary.versions)
                    if kind is Kind.SERVICE
                    else tuple(sorted(vocabulary.all_versions))
                )
                return UnknownNameError(what, stranger.text, known[:10])
    numbers = [token for token in said if token.kind is Kind.NUMBER]
    if numbers and not unknown:
        return NotUnderstoodError(sentence, hints, because=f'"{numbers[0].text}" of what? Say "%" for a share')
    because = "unknown here: " + ", ".join(f'"{token.text}"' for token in unknown[:5]) if unknown else ""
    return NotUnderstoodError(sentence, hints, because=because)

"""The clauses around an order that say why, for whom or by whose word it is given, and what is left without them.

"The rebuild takes so much CPU, which is why …", "Since the peak is over, …", "…, because only v2 implements them", "I
was asked to …". Such a clause is passed over, and named in the answer, only if it holds nothing that could change the
order: no condition, exception, modal, nor a name, time or number that the order might want.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, pairwise

from intelligence.intents.framing_words import (
    ALWAYS_BARRED,
    ASIDE,
    ASKING,
    COMMA,
    CONCLUSIONS,
    CONFIRMING,
    CONTENT,
    COUNTED,
    FINITE,
    FOR,
    FRAMES,
    HAPPENED,
    IMPERATIVES,
    NAMED,
    NAMES_OR_NUMBERS,
    NEGATED,
    NO_IMPERATIVE_AFTER,
    NO_SUBJECTS,
    NOT_KNOWING,
    ONLY,
    OPENERS,
    PLACING,
    REMARKS,
    STARTERS,
    STATED_SUBJECTS,
    SUBJECT_NOUNS,
    SUBJECT_PRONOUNS,
    SWITCHED,
    TAIL_CLAUSE,
    TAILS,
    TELLERS,
    TIMES,
    TOLD,
    UNREAL,
    WANTS,
    WISHING,
)
from intelligence.intents.token import BACKEND, ROLE, SERVICE, STRANGER, UNKNOWN, VERSION, Token

_MOST_WAYS = 6


def peeled(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """What may be left of a sentence without one such clause, with the clause, and whether it came first."""
    starts = [i for i, token in enumerate(tokens) if token.kind != "mark"]
    if len(starts) < 3:
        return
    ways = chain(_concluded(tokens), _framed(tokens), _opened(tokens), _tailed(tokens), _parenthesised(tokens))
    yield from islice(ways, _MOST_WAYS)


def is_order(kept: Sequence[Token]) -> bool:
    """Whether what is left does not wonder ("should we …") or tell ("I scaled it …")."""
    words = _words(kept)
    if not words or words[0] in ASKING:
        return False
    if {"but", "however", "although", "though"} & {token.text.lower() for token in kept} and any(
        token.mask & NEGATED or token.text.lower().startswith(("is not", "are not")) for token in kept
    ):
        return False  # "…, but it is not needed"
    if words[0] not in TELLERS or len(words) < 2:
        return True
    past = words[1].endswith("ed") and words[1] not in ("need", "decided", "agreed")
    return not past and words[1] not in TOLD


def _is_imperative(tokens: Sequence[Token], place: int) -> bool:
    """Whether a verb there begins an order, in a text without marks."""
    before = tokens[place - 1] if place else None
    return (
        before is not None
        and tokens[place].kind == "word"
        and tokens[place].text.lower().split()[0] in IMPERATIVES
        and before.text.lower().split()[-1:] != []
        and before.text.lower().split()[-1] not in NO_IMPERATIVE_AFTER
    )


def _is_run_on(tokens: Sequence[Token], place: int) -> bool:
    """ "X does Y do Z": an order behind a statement, in speech without marks; not where a time or a place stands
    between, which could belong to either."""
    if not _is_imperative(tokens, place) or tokens[place - 1].kind == "mark":
        return False
    before = _words(tokens[:place])
    return not (
        PLACING & set(before[-3:]) or TIMES.search(" ".join(before[-3:])) or {"so", "then", "therefore"} & set(before)
    )


def begins_with_purpose(sentence: Sequence[Token]) -> bool:
    """ "To keep it at 10 replicas, …": what it begins with is no order, whatever it says."""
    spoken = [token for token in sentence if token.kind != "mark"]
    text = _text(spoken[:4])
    return (
        len(spoken) > 2
        and (text.startswith("in order to ") or (spoken[0].text.lower() == "to" and spoken[1].kind == "word"))
        and not text.startswith(("to all ", "to every ", "to the ", "to our ", "to my ", "to a ", "to this "))
        and any(token.text == "," for token in sentence)
        and any(token.mask & COUNTED for token in sentence[: next(i for i, t in enumerate(sentence) if t.text == ",")])
    )


def _begins_with_me(tokens: Sequence[Token], place: int) -> bool:
    """ "For the report I need …"."""
    before = tokens[place - 1].text.lower().split()[-1:]
    return (
        place > 1
        and tokens[place].kind != "mark"
        and tokens[place].text.lower().split()[0] in ("i", "we", "i'd", "we'd", "let's")
        and before not in (["because"], ["since"], ["as"], ["that"], ["which"], ["and"], ["what"], ["if"], ["when"])
    )


def with_referent(kept: Sequence[Token], passed: Sequence[Token]) -> list[Token] | None:
    """ "The retries on search are flaky, so turn them off": what is switched, where one thing only can be meant."""
    spoken = [token for token in kept if token.kind != "mark" and not token.silent]
    versions = [token for token in passed if token.kind in (VERSION, BACKEND, ROLE)]
    of = [token for token in passed if token.kind == SERVICE]
    if (
        len(versions) == 1
        and len(of) < 2
        and sum(token.text.lower() == "it" for token in kept) == 1
        and not any(token.kind in (SERVICE, VERSION, BACKEND, ROLE) for token in kept)
        and any(token.kind == "amount" for token in kept)
    ):  # "v2 of orders is great, so give it half of the traffic"
        return [*(versions[0] if token.text.lower() == "it" else token for token in kept), *of]
    pronoun = {"it", "them", "this", "that", "these", "those"} & set(_words(kept))
    if not spoken or not pronoun or not all(token.mask & SWITCHED for token in spoken) or len(_words(kept)) > 6:
        return None
    content = [
        token
        for token in passed
        if token.kind in (SERVICE, VERSION, BACKEND) or (token.kind == "word" and token.mask & CONTENT)
    ]
    services = [token for token in content if token.kind in (SERVICE, BACKEND)]
    if len(services) > 1 or any(len(token.names) > 1 for token in services) or not content:
        return None
    return [*(token for token in kept if token.text.lower() not in pronoun), *content]


def is_remark(sentence: Sequence[Token]) -> bool:
    """ "I misread the numbers": a sentence of its own about the one who speaks, which names nothing of the mesh."""
    words = _words(sentence)
    if HAPPENED.match(" ".join(words)) and not _holds_names(sentence):
        return not any(t.mask & NEGATED for t in sentence) and _may_be_passed(sentence, counted=False, only=False)
    if len(words) < 3 or words[0] not in ("i", "we") or _holds_names(sentence) or WISHING & set(words):
        return False
    if any(token.kind in (VERSION, "number", "amount", "duration") for token in sentence):
        return False
    if (
        any(token.mask & NEGATED for token in sentence)
        and words[2:3] not in NOT_KNOWING
        and words[3:4] not in NOT_KNOWING
    ):
        return False
    return _may_be_passed(sentence, counted=False, only=False)


def introduces(sentence: Sequence[Token]) -> bool:
    """ "To survive the night:", before a list."""
    text = _text(sentence)
    return (
        text.startswith(("to ", "in order to ", "because ", "since ", "as "))
        and _may_be_passed(sentence, counted=False)
        and not any(token.mask & NEGATED for token in sentence)
        and not _holds_names(sentence)
        and not any(token.kind in (VERSION, BACKEND) for token in sentence)
    )


def _text(tokens: Sequence[Token]) -> str:
    return " ".join(token.text.lower() for token in tokens if token.kind != "mark")


def _words(tokens: Sequence[Token]) -> list[str]:
    return _text(tokens).split()


def _concluded(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "X, so Y", "X; which is why Y", and in speech without marks, "X please Y"."""
    for place in range(2, len(tokens) - 1):
        if tokens[place].kind == "mark":
            continue
        following = _words(tokens[place : place + 4])
        said = tokens[:place]
        for conclusion in CONCLUSIONS:
            if tuple(following[: len(conclusion)]) != conclusion or following[: len(conclusion) + 1][-1:] == ["that"]:
                continue
            end = _after(tokens, place, len(conclusion))
            kept = list(tokens[end:])
            if CONFIRMING.fullmatch(_text(kept)) and not any(t.mask & NEGATED for t in said):
                confirmed = _told(said)
                if confirmed is not None:
                    yield confirmed, [*tokens[: len(said) - len(confirmed)], *tokens[place:]], True
            elif _may_be_said(said, concluded=True):
                yield kept, list(tokens[:end]), True
            elif (told := _told(said)) is not None and said[-1].text == "," and is_order(kept):
                yield [*told, said[-1], *kept], list(tokens[: len(said) - len(told) - 1]), True
            break
        starts = tokens[place].text.lower() in STARTERS or _is_run_on(tokens, place)
        if starts and _may_be_said(said):
            yield list(tokens[place:]), list(said), True


def _told(said: Sequence[Token]) -> list[Token] | None:
    """ "My mentor told me that X": X, where what follows asks for it."""
    for place in range(1, min(len(said), 8)):
        if said[place - 1].text.lower() in ("that", "told me", "says", "said") and any(
            word in ("told", "says", "said", "suggested", "recommended", "recommends", "wrote", "thinks", "asked")
            for word in _words(said[:place])
        ):
            return [token for token in said[place:] if token is not said[-1] or token.kind != "mark"]
    return None


def _after(tokens: Sequence[Token], place: int, count: int) -> int:
    """The place behind `count` words from `place` on."""
    while count > 0 and place < len(tokens):
        if tokens[place].kind != "mark":
            count -= len(tokens[place].text.split())
        place += 1
    return place


def _opened(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "Since X, Y"."""
    text = _text(tokens)
    by_for = FOR.match(text)
    if not OPENERS.match(text) and not by_for:
        return
    purpose = text.startswith(("to ", "for "))
    if purpose and len(tokens) > 1 and tokens[1].kind not in ("word", UNKNOWN):
        return
    for place in range(1, len(tokens) - 1):
        if tokens[place].text in (",", ":", "-", "，"):
            said = tokens[:place]
            if by_for and not FOR.fullmatch(_text(said)):
                continue
            if by_for and TIMES.search(_text(said)):
                continue
            if text.startswith("after ") and _words(tokens[place + 1 :])[:1] != ["i"]:
                continue  # "after checking with the team, …" may say when
            if _may_be_passed(said, counted=not purpose and not text.startswith(("so that", "in order"))):
                yield list(tokens[place + 1 :]), list(tokens[:place]), True
        elif (
            (
                tokens[place].text.lower() in STARTERS
                or _is_run_on(tokens, place)
                or _begins_with_me(tokens, place)
                or (place > 1 and tokens[place].kind in (SERVICE, VERSION) and text.startswith(("according", "as ")))
            )
            and (not by_for or FOR.fullmatch(_text(tokens[:place])))
            and _may_be_passed(tokens[:place], counted=False)
        ):
            yield list(tokens[place:]), list(tokens[:place]), True


def _framed(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "I was asked to Y"."""
    text = _text(tokens)
    for frame in FRAMES:
        found = frame.match(text)
        if found is None or not (found.end() == len(text) or text[found.end()] == " "):
            continue
        end = _after(tokens, 0, len(found.group().split()))
        if _words(tokens[:end]) != found.group().split() or end >= len(tokens):
            continue
        holds = any(t.kind in (SERVICE, VERSION, BACKEND, STRANGER) or t.mask & NAMES_OR_NUMBERS for t in tokens[:end])
        if holds and not re.search(r"\b(?:two|three|four|five)\b", found.group()):
            continue
        if re.search(r"\b(?:would|will|were|had)\b", _text(tokens[end:])) and "told" in found.group():
            continue  # what is or will be, and not what is to be
        kept = list(tokens[end:])
        if found.group().endswith((" that", " if")):  # what is wished is said as if it were so
            kept = [replace(t, text="should be") if t.text.lower() in ("is", "are", "was", "were") else t for t in kept]
        yield kept, list(tokens[:end]), True
    cleft = re.match(
        r"(?:what|all(?: that)?) (.+?) (?:needs?|wants?|requires?|should have|must have|should get) (?:is|are) ", text
    )
    if cleft is not None:  # "what X needs is Y"
        end = _after(tokens, 0, len(cleft.group().split()))
        named = [token for token in tokens[:end] if token.kind == SERVICE]
        if len(named) == 1 and _words(tokens[:end]) == cleft.group().split() and not _holds_names(tokens[end:]):
            yield [named[0], *tokens[end:]], [t for t in tokens[:end] if t is not named[0]], True


def _tailed(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "Y, because X", "Y, which has never seen real load"."""
    for place in range(2, len(tokens) - 1):
        if tokens[place].kind == "mark":
            continue
        tail = tokens[place:]
        text = _text(tail)
        comma = bool(tokens[place - 1].mask & COMMA)
        if TAILS.match(text):
            purpose = text.startswith(("so that", "in order", "to ", "for "))
            if not _may_be_passed(tail, counted=False, only=not purpose) or (purpose and _holds_names(tail)):
                continue
            if text.startswith(("otherwise", "or else")) and not _has_subject(tail[1:]):
                continue
        elif REMARKS.match(text) and (comma or tokens[place - 1].text.lower() in ("please", "thanks", "asap")):
            if any(t.mask & NEGATED for t in tail) or _holds_names(tail):
                continue
            if UNREAL & set(_words(tail)) or not _may_be_passed(tail, counted=False, only=False):
                continue
        elif comma and TAIL_CLAUSE.match(text):
            negated = any(t.mask & NEGATED for t in tail if t.text.lower() != "never")
            if negated or not _may_be_passed(tail, counted=False, only=False) or _holds_names(tail):
                continue
        else:
            continue
        kept = list(tokens[:place])
        while kept and kept[-1].kind == "mark":
            kept.pop()
        yield kept, list(tail), False


def _parenthesised(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "What we need, according to the channel, is …"."""
    commas = [i for i, token in enumerate(tokens) if token.text in (",", "(", ")", "，")]
    for first, second in pairwise(commas):
        inner = tokens[first + 1 : second]
        described = (
            bool(TAIL_CLAUSE.match(_text(inner)))
            and not any(t.mask & NEGATED for t in inner)
            and _may_be_passed(inner, counted=False, only=False)
        )
        if (
            inner
            and (described or ASIDE.match(_text(inner)))
            and _may_be_passed(inner, counted=False)
            and not _holds_names(inner)
        ):
            yield [*tokens[:first], *tokens[second + 1 :]], list(inner), True


def _holds_names(said: Sequence[Token]) -> bool:
    return any(token.kind in (SERVICE, STRANGER, BACKEND) for token in said)


def _has_subject(said: Sequence[Token], *, concluded: bool = False) -> bool:
    spoken = [token for token in said if token.kind != "mark"]
    if not spoken:
        return False
    first = spoken[0]
    word = first.text.lower().split()[0]
    if word in NO_SUBJECTS:
        return False
    if concluded and first.mask & SUBJECT_NOUNS and word not in IMPERATIVES:
        return True
    return (
        word in STATED_SUBJECTS
        or word.endswith(("'s", "'re", "'ve", "'m"))
        or first.kind in (SERVICE, VERSION, BACKEND, UNKNOWN)
        or (len(spoken) > 1 and spoken[1].text.lower() in ("is", "are", "was", "were", "has", "have", "had"))
    )


def _may_be_said(said: Sequence[Token], *, concluded: bool = False) -> bool:
    """Whether it is a statement from which an order may follow. `concluded`: a "so" says that it does."""
    words = _words(said)
    if len(words) < 3 or words[0] in ("do", "don't", "never", "no", "not"):
        return False
    placed = concluded and words[0] in ("in", "on", "at", "with") and bool(SUBJECT_PRONOUNS & set(words[1:7]))
    if placed and TIMES.search(_text(said)):
        return False
    if not placed and not _has_subject(said, concluded=concluded):
        return False
    if not concluded and "'" not in words[0] and not any(FINITE.fullmatch(word) for word in words[1:]):
        return False
    if any(token.kind in (VERSION, BACKEND) for token in said) and any(token.mask & COUNTED for token in said):
        return False
    if any(token.mask & COUNTED and token.text.lower() != "one" for token in said) and WANTS & set(words):
        return False
    return _may_be_passed(said, counted=True)


def _may_be_passed(said: Sequence[Token], *, counted: bool, only: bool = True) -> bool:
    words = set(_words(said))
    if {"before", "forget"} <= words:
        words -= {"forget"}
    if any(_is_imperative(said, place) for place in range(1, len(said))):
        return False
    if words & ALWAYS_BARRED or any(token.mask & NAMED and token.kind != "word" for token in said):
        return False
    if not counted and any(
        token.kind in ("amount", "number", "duration") and token.text.lower() != "one" for token in said
    ):
        return False
    return only or not any(token.mask & ONLY and token.text.lower() in ("only", "just", "solely") for token in said)

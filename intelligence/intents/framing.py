"""The clauses around an order that say why, for whom or by whose word it is given, and what is left without them.

"The rebuild takes so much CPU, which is why …", "Since the peak is over, …", "…, because only v2 implements them", "I
was asked to …". Such a clause is passed over, and named in the answer, only if it holds nothing that could change the
order: no condition, exception, modal, nor a name, time or number that the order might want.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from intelligence.intents.lexicon import mask
from intelligence.intents.token import BACKEND, SERVICE, STRANGER, UNKNOWN, VERSION, Token

_CONCLUSIONS = tuple(
    tuple(text.split())
    for text in ["and that is why", "and that's why", "and this is why", "which is why", "that is why", "that's why", "this is why", "which means that", "which means", "for which reason", "for which", "therefore", "hence", "thus", "consequently", "and so", "so please", "so"]
)
_STATED_SUBJECTS_TEXT = (
    "i we they he she it there this that these those the our my their its a an some somebody someone everything "
    "everybody nothing all most users customers people management marketing finance"
)
_STATED_SUBJECTS = frozenset(_STATED_SUBJECTS_TEXT.split())
_NO_SUBJECTS_TEXT = (
    "when whenever once while after before during in on at from with by as for to if what which who how why "
    "where until "
    "till unless upon without within over under then next later tomorrow tonight today yesterday not no "
    "never don't do "
    "does did is are was were can could will would may might"
)
_NO_SUBJECTS = frozenset(_NO_SUBJECTS_TEXT.split())
_FINITE = re.compile(
    r"(?:is|are|was|were|am|has|have|had|do|does|did|don't|doesn't|didn't|isn't|aren't|wasn't|hasn't|haven't"
    r"|will|won't"
    r"|can|can't|cannot|could|went|came|got|gave|took|made|saw|said|told|began|broke|ran|fell|lost|found"
    r"|thought|read"
    r"|need|want|think|keep|look|expect|hope|like|\w+'(?:s|re|ve|m|ll|d)|\w{2,}ed|\w{2,}[^su\W]s|\w{2,}es)"
)
_ALWAYS_BARRED_TEXT = (
    "unless except excepting excluding until till provided instead rather whether should must shall please "
    "let lets "
    "ought you your yourself ignore forget pretend imagine suppose assume hypothetically example joke joking "
    "kidding "
    "maybe perhaps if nobody against opposed opposes objects disagrees veto vetoed wait pending approval approve "
    "exempt exempted exception exceptions alone untouched unaffected stays remain remains leave"
)
_ALWAYS_BARRED = frozenset(_ALWAYS_BARRED_TEXT.split())
"""Words of a clause that may mean that the order is to be another, or none."""
_NAMED = mask("country address method path url host moment header file refusals rate ratio")
_COUNTED = mask("amount number duration")
_SUBJECT_PRONOUNS = frozenset(("we", "i", "it", "there", "they"))
_SUBJECT_NOUNS = mask("TRAFFIC CONNECTIONS USER ERRORRATE LATENCY CPU MEMORY INSTANCE PROXY NOUN")
_ONLY = mask("ONLY NOBODYBUT")
_NEGATED = mask("NOT")
_COMMA = mask("COMMA DASH")

_OPENERS = re.compile(
    r"(?:because|since(?! (?:yesterday|today|\d))|given(?: that)?|considering|seeing that|now that"
    r"|in order to|so that"
    r"|due to|owing to|thanks to|in response to|in view of|in light of|on behalf of|according to"
    r"|following (?:the|our|my)"
    r"|as (?:the |a |an |our )?(?:cto|ceo|cio|ciso|sre|developer|tester|lead|engineer|manager|owner|admin|operator)"
    r"|as (?:discussed|agreed|decided|requested|planned|mentioned|announced|promised|explained|described"
    r"|noted|stated"
    r"|written|usual|you know|part of|everybody knows|everyone knows|we|i|they|it|he|she|there|the|our|my|this|that"
    r"|some|most|all|many people)"
    r"|after (?:reviewing|comparing|looking|talking|discussing|reading|checking|thinking|considering|seeing"
    r"|careful|long"
    r"|much|a long|some|what happened|last night's|yesterday's|the incident|the outage|today's)"
    r"|before (?:i|we) (?:go|leave|forget|finish|log off|sign off|head|hand over|close)"
    r"|from (?:a|an|the|our|my) [\w -]{1,40}?(?:point of view|perspective|standpoint)"
    r"|(?:coming|looking|having|being|speaking|judging|thinking|hoping|preparing|worried|concerned|based on)(?= )"
    r"|with (?:the|our|a|all the) [\w -]{1,40}? (?:coming|approaching|around|over|ahead|starting|growing"
    r"|rising|running)"
    r"|to (?=[a-z]))"
)
_FOR = re.compile(
    r"for (?:the |our |my |a |an |this |that |their )?(?:[\w'-]+ ){0,3}?(?:documentation|docs|review|audit"
    r"|test|tests|demo"
    r"|experiment|launch|reports?|board|records?|phase|meeting|safety|presentation|onboarding|compliance"
    r"|reasons|campaign"
    r"|workshop|training|investigation|analysis|debugging|postmortem|post-mortem|migration|release|rollout|sale)"
    r"(?: (?:of|with|at|in) (?:the |our |my |a )?(?:[\w'-]+ ?){1,3})?"
)
_TIMES = re.compile(
    r"\b(?:tonight|tomorrow|weekend|weekends|night|week|month|hour|hours|day|days|morning|evening|monday"
    r"|tuesday|wednesday|thursday|friday|saturday|sunday|midnight|noon|later|soon|then)\b"
)
_FRAMES = tuple(
    re.compile(text)
    for text in (
        (
            r"(?:i|we) (?:was|were|am|are|have been|had been|got|have) (?:told|asked|instructed|requested"
            r"|ordered|reminded"
            r"|required|advised|tasked|supposed|convinced|sure|certain)(?: with)?(?: that| to)?(?: (?:i"
            r"|we) (?:need|have) to)?"
        ),
        r"(?:i've|we've) been (?:told|asked|instructed|requested|tasked|advised)(?: that| to)?",
        (
            r"(?:my|our|the|this) (?:[\w-]+ ){0,2}(?:task|ticket|job|assignment|policy|contract|standard"
            r"|guideline|guidelines"
            r"|runbook|requirement|requirements|sla|slo|plan|checklist|regulation|regulations|law|test|audit"
            r"|audits|review"
            r"|team|chief|boss|manager|management|security|architect|architects|postmortem|retrospective"
            r"|report|findings)"
            r"(?: team| department)? (?:says?|states?|requires?|demands?|mandates?|stipulates?|specifies"
            r"|prescribes|asks?|wants?"
            r"|wishes|insists?|decided|has decided|agreed|has agreed|concluded|has shown|showed|shows"
            r"|has revealed|revealed"
            r"|found|confirmed|is|recommends?)(?: us| me)? (?:that|to)"
        ),
        (
            r"what (?:i|we|the team|they) (?:agreed on|agreed|decided|need|want|would like|have to do|must do"
            r"|are asked"
            r"|planned|need now|want now|need most)(?: for [\w' -]{1,40})? is(?: that| to)?"
        ),
        (
            r"it (?:has been|was|is|is being|will be) (?:decided|agreed|requested|wished|planned|required"
            r"|mandated|demanded"
            r"|desired|recommended|mandatory|essential|crucial|vital|imperative|best)(?: (?:by|from|with"
            r"|in) [\w' -]{1,40}?)?"
            r" (?:that|to)"
        ),
        (
            r"(?:it|that|this) (?:would|'d) (?:be|really be) (?:good|great|nice|helpful|best|wonderful|better"
            r"|fantastic|perfect"
            r"|ideal|useful|lovely|awesome|super|cool|very \w+|really \w+|a good idea"
            r"|of help)(?: for \w+)? (?:if|to have)"
        ),
        (
            r"(?:i|we) (?:would|'d) (?:be|feel) (?:so |very |really |much )?(?:thankful|grateful|glad|happy"
            r"|pleased|obliged"
            r"|relieved|better|safer)(?: if| to have)"
        ),
        (
            r"(?:i'd|we'd) (?:be|feel) (?:so |very |really |much )?(?:thankful|grateful|glad|happy|pleased"
            r"|better|safer)"
            r"(?: if| to have)"
        ),
        (
            r"(?:i|we) (?:would |'d )?(?:rather|prefer|like|love|appreciate|request|wish|ask|hereby approve"
            r"|approve|insist)(?: it)?(?: that| if| for)"
        ),
        r"(?:i'd|we'd) (?:rather|prefer|like|love|appreciate)(?: it)?(?: that| if| for)",
        r"(?:i|we) (?:have|need|want) (?:you )?to (?:make sure|ensure|see to it)(?: that)?",
        (
            r"the (?:goal|idea|aim|plan|point|task|job|requirement|request|wish|decision|agreement) (?:here )?is"
            r"(?: that| to)?"
        ),
        (
            r"please (?:do|arrange|make|apply|handle|execute|carry out) (?:these|the following|those|the next)?"
            r"(?: two| three| four| five| few| couple of)?(?: things| changes| steps| tasks)(?: (?:for"
            r"|on) (?:our|my|the|this)"
            r" (?!service)[\w-]+)?"
        ),
        r"(?:i|we) (?:want|need|would like) (?:two|three|four|five|several|a few) (?:things|changes)",
    )
)
_IMPERATIVES_TEXT = (
    "scale route send set drain mirror block deny allow limit roll revert undo create add remove delete "
    "disable enable "
    "turn switch shift move split give put stop start restart retry alert notify bump reduce increase lower "
    "raise cap "
    "throttle require enforce reject forbid ban drop make take direct forward redirect restore show tell "
    "list register "
    "expose compress inject delay eject kick collect protect configure apply go bring cut wake"
)
_IMPERATIVES = frozenset(_IMPERATIVES_TEXT.split())
_NO_IMPERATIVE_AFTER_TEXT = (
    "to can could will would may might must shall should not don't doesn't didn't cannot can't won't never "
    "we they i he "
    "she it you who which that and or the a an our my their your this these those its some any no in of for "
    "on with by "
    "from at as do does did let us me them please more"
)
_NO_IMPERATIVE_AFTER = frozenset(_NO_IMPERATIVE_AFTER_TEXT.split())
_PLACING = frozenset(
    ("on", "in", "at", "by", "for", "during", "from", "to", "with", "within", "and", "or", "but", "then")
)
_ASKING_TEXT = "should shall do does did was were is are has had shouldn't isn't aren't might may did've am"
_ASKING = frozenset(_ASKING_TEXT.split())
_TELLERS = frozenset(("i", "we", "they", "he", "she", "someone", "somebody", "it's", "you"))
_TOLD = frozenset(("did", "had", "was", "were", "could", "might", "may", "won't", "don't", "didn't", "doubt", "wonder"))
_ASIDE = re.compile(
    r"(?:according to|as (?:discussed|agreed|decided|requested|planned|mentioned|announced|promised|you know"
    r"|i said|we said|usual)|i think|i believe|i guess|by the way|as far as i know|if i remember)\b"
)
_TAILS = re.compile(
    r"(?:because|since(?! (?:yesterday|today|last|this|\d))|so that|in order to|as (?:i|we|it|they|he|she"
    r"|there|the|our|my|this|that|these|those)"
    r"|to (?:save|reduce|avoid|protect|keep|help|handle|cope|survive|get|see|prevent|free|improve|find)"
    r"|for (?:[\w-]+ ){0,2}(?:reasons|purposes|compliance|safety|documentation)$"
    r"|otherwise|or else|given that|considering|thanks|thank you|and thanks)\b"
)
_REMARKS = re.compile(
    r"(?:it|that|this|they) (?:was|were|is|are|broke|breaks|has|have|caused|causes|looks|hurts|makes)\b"
)
_UNREAL_TEXT = (
    "wrong joke test example optional later already only allowed enough fine ok okay good right done free "
    "open off on "
    "special temporary temporarily first last all"
)
_UNREAL = frozenset(_UNREAL_TEXT.split())
_TAIL_CLAUSE = re.compile(
    r"(?:which|who) (?:(?:our |the |my )?[a-z]+ (?:has|have|had|already|just|\w+ed|wants?|needs?|likes?"
    r"|asked)|is|are|was|were|has|have|had|will|would|can|does|do|did|saves?|makes?|gives?"
    r"|helps?|means|looks?|seems?|\w+s)\b"
)
_STARTERS = frozenset(("please", "could you", "can you", "could we", "can we", "kindly", "would you", "let's", "lets"))
_WANTS = frozenset(("needs", "need", "want", "wants", "gets", "get", "receives", "has to", "have to", "needs to"))
_CONFIRMING = re.compile(
    r"(?:(?:please|kindly|just|now|go ahead and|can you|could you|would you|will you|can we|could we|let's) )*"
    r"(?:set|do|make|arrange|implement|configure|apply|change|enforce|put) (?:that|this|it|so|them|to this|to that)"
    r"(?: up| in place| happen| so| accordingly| please| for me| for us| now)*"
)


def peeled(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """What may be left of a sentence without one such clause, with the clause, and whether it came first."""
    starts = [i for i, token in enumerate(tokens) if token.kind != "mark"]
    if len(starts) < 3:
        return
    yield from _concluded(tokens)
    yield from _framed(tokens)
    yield from _opened(tokens)
    yield from _tailed(tokens)
    yield from _parenthesised(tokens)


def is_order(kept: Sequence[Token]) -> bool:
    """Whether what is left does not wonder ("should we …") or tell ("I scaled it …")."""
    words = _words(kept)
    if not words or words[0] in _ASKING:
        return False
    if words[0] not in _TELLERS or len(words) < 2:
        return True
    past = words[1].endswith("ed") and words[1] not in ("need", "decided", "agreed")
    return not past and words[1] not in _TOLD


def _is_imperative(tokens: Sequence[Token], place: int) -> bool:
    """Whether a verb there begins an order, in a text without marks."""
    before = tokens[place - 1] if place else None
    return (
        before is not None
        and tokens[place].kind == "word"
        and tokens[place].text.lower().split()[0] in _IMPERATIVES
        and before.text.lower().split()[-1:] != []
        and before.text.lower().split()[-1] not in _NO_IMPERATIVE_AFTER
    )


def _is_run_on(tokens: Sequence[Token], place: int) -> bool:
    """ "X does Y do Z": an order behind a statement, in speech without marks; not where a time or a place stands
    between, which could belong to either."""
    if not _is_imperative(tokens, place) or tokens[place - 1].kind == "mark":
        return False
    before = _words(tokens[:place])
    return not (
        _PLACING & set(before[-3:]) or _TIMES.search(" ".join(before[-3:])) or {"so", "then", "therefore"} & set(before)
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


_CONTENT = mask(
    "RETRY TIMEOUT BREAKER FAULT RATELIMIT MIRROR LOGIN AUTOSCALE AUDIT ALERT ROLLOUT REPORT COMPRESS MTLS "
    "STRICT EVERY "
    "ALL SERVICENOUN"
)
_SWITCHED = mask("OFF ON DRAIN IT")


def with_referent(kept: Sequence[Token], passed: Sequence[Token]) -> list[Token] | None:
    """ "The retries on search are flaky, so turn them off": what is switched, where one thing only can be meant."""
    spoken = [token for token in kept if token.kind != "mark" and not token.silent]
    pronoun = {"it", "them", "this", "that", "these", "those"} & set(_words(kept))
    if not spoken or not pronoun or not all(token.mask & _SWITCHED for token in spoken) or len(_words(kept)) > 6:
        return None
    content = [
        token
        for token in passed
        if token.kind in (SERVICE, VERSION, BACKEND) or (token.kind == "word" and token.mask & _CONTENT)
    ]
    services = [token for token in content if token.kind in (SERVICE, BACKEND)]
    if len(services) > 1 or any(len(token.names) > 1 for token in services) or not content:
        return None
    return [*(token for token in kept if token.text.lower() not in pronoun), *content]


def is_remark(sentence: Sequence[Token]) -> bool:
    """ "I misread the numbers": a sentence of its own about the one who speaks, which names nothing of the mesh."""
    words = _words(sentence)
    if _HAPPENED.match(" ".join(words)) and not _holds_names(sentence):
        return not any(t.mask & _NEGATED for t in sentence) and _may_be_passed(sentence, counted=False, only=False)
    if len(words) < 3 or words[0] not in ("i", "we") or _holds_names(sentence) or _WISHING & set(words):
        return False
    if any(token.kind in (VERSION, "number", "amount", "duration") for token in sentence):
        return False
    if (
        any(token.mask & _NEGATED for token in sentence)
        and words[2:3] not in _NOT_KNOWING
        and words[3:4] not in _NOT_KNOWING
    ):
        return False
    return _may_be_passed(sentence, counted=False, only=False)


_HAPPENED = re.compile(
    r"(?:the|our|my|something|everything|it|things|that) (?:\w+ ){0,2}(?:began|started|broke|failed|crashed"
    r"|went|fell|came"
    r"|looked|happened|died|exploded|jumped|dropped|spiked|misbehaved|worked)\b"
)
_WISHING = frozenset(
    ("want", "need", "like", "would", "wish", "prefer", "will", "hope", "expect", "keep", "going", "to")
)
_NOT_KNOWING = (["understand"], ["know"], ["see"], ["trust"], ["remember"], ["sleep"])


def introduces(sentence: Sequence[Token]) -> bool:
    """ "To survive the night:", before a list."""
    text = _text(sentence)
    return (
        text.startswith(("to ", "in order to ", "because ", "since ", "as "))
        and _may_be_passed(sentence, counted=False)
        and not any(token.mask & _NEGATED for token in sentence)
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
        for conclusion in _CONCLUSIONS:
            if tuple(following[: len(conclusion)]) != conclusion or following[: len(conclusion) + 1][-1:] == ["that"]:
                continue
            end = _after(tokens, place, len(conclusion))
            kept = list(tokens[end:])
            if _CONFIRMING.fullmatch(_text(kept)) and not any(t.mask & _NEGATED for t in said):
                confirmed = _told(said)
                if confirmed is not None:
                    yield confirmed, [*tokens[: len(said) - len(confirmed)], *tokens[place:]], True
            elif _may_be_said(said, concluded=True):
                yield kept, list(tokens[:end]), True
            elif (told := _told(said)) is not None and said[-1].text == "," and is_order(kept):
                yield [*told, said[-1], *kept], list(tokens[: len(said) - len(told) - 1]), True
            break
        starts = tokens[place].text.lower() in _STARTERS or _is_run_on(tokens, place)
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
    by_for = _FOR.match(text)
    if not _OPENERS.match(text) and not by_for:
        return
    purpose = text.startswith(("to ", "for "))
    if purpose and len(tokens) > 1 and tokens[1].kind not in ("word", UNKNOWN):
        return
    for place in range(1, len(tokens) - 1):
        if tokens[place].text in (",", ":", "-", "，"):
            said = tokens[:place]
            if by_for and not _FOR.fullmatch(_text(said)):
                continue
            if by_for and _TIMES.search(_text(said)):
                continue
            if text.startswith("after ") and _words(tokens[place + 1 :])[:1] != ["i"]:
                continue  # "after checking with the team, …" may say when
            if _may_be_passed(said, counted=not purpose and not text.startswith(("so that", "in order"))):
                yield list(tokens[place + 1 :]), list(tokens[:place]), True
        elif (
            tokens[place].text.lower() in _STARTERS or _is_run_on(tokens, place) or _begins_with_me(tokens, place)
        ) and (not by_for or _FOR.fullmatch(_text(tokens[:place]))):
            if _may_be_passed(tokens[:place], counted=False):
                yield list(tokens[place:]), list(tokens[:place]), True


def _framed(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[Token], bool]]:
    """ "I was asked to Y"."""
    text = _text(tokens)
    for frame in _FRAMES:
        found = frame.match(text)
        if found is None or not (found.end() == len(text) or text[found.end()] == " "):
            continue
        end = _after(tokens, 0, len(found.group().split()))
        if _words(tokens[:end]) != found.group().split() or end >= len(tokens):
            continue
        if any(t.kind in (SERVICE, VERSION, BACKEND, STRANGER) or t.mask & (_COUNTED | _NAMED) for t in tokens[:end]):
            if not re.search(r"\b(?:two|three|four|five)\b", found.group()):
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
        comma = bool(tokens[place - 1].mask & _COMMA)
        if _TAILS.match(text):
            purpose = text.startswith(("so that", "in order", "to ", "for "))
            if not _may_be_passed(tail, counted=False, only=not purpose) or (purpose and _holds_names(tail)):
                continue
            if text.startswith(("otherwise", "or else")) and not _has_subject(tail[1:]):
                continue
        elif _REMARKS.match(text) and (comma or tokens[place - 1].text.lower() in ("please", "thanks", "asap")):
            if any(t.mask & _NEGATED for t in tail) or _holds_names(tail):
                continue
            if _UNREAL & set(_words(tail)) or not _may_be_passed(tail, counted=False, only=False):
                continue
        elif comma and _TAIL_CLAUSE.match(text):
            negated = any(t.mask & _NEGATED for t in tail if t.text.lower() != "never")
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
        if inner and _ASIDE.match(_text(inner)) and _may_be_passed(inner, counted=False) and not _holds_names(inner):
            yield [*tokens[:first], *tokens[second + 1 :]], list(inner), True


def _holds_names(said: Sequence[Token]) -> bool:
    return any(token.kind in (SERVICE, STRANGER, BACKEND) for token in said)


def _has_subject(said: Sequence[Token], *, concluded: bool = False) -> bool:
    spoken = [token for token in said if token.kind != "mark"]
    if not spoken:
        return False
    first = spoken[0]
    word = first.text.lower().split()[0]
    if word in _NO_SUBJECTS:
        return False
    if concluded and first.mask & _SUBJECT_NOUNS and word not in _IMPERATIVES:
        return True
    return (
        word in _STATED_SUBJECTS
        or word.endswith(("'s", "'re", "'ve", "'m"))
        or first.kind in (SERVICE, VERSION, BACKEND, UNKNOWN)
        or (len(spoken) > 1 and spoken[1].text.lower() in ("is", "are", "was", "were", "has", "have", "had"))
    )


def _may_be_said(said: Sequence[Token], *, concluded: bool = False) -> bool:
    """Whether it is a statement from which an order may follow. `concluded`: a "so" says that it does."""
    words = _words(said)
    if len(words) < 3 or words[0] in ("do", "don't", "never", "no", "not"):
        return False
    placed = concluded and words[0] in ("in", "on", "at", "with") and bool(_SUBJECT_PRONOUNS & set(words[1:7]))
    if placed and _TIMES.search(_text(said)):
        return False
    if not placed and not _has_subject(said, concluded=concluded):
        return False
    if not concluded and "'" not in words[0] and not any(_FINITE.fullmatch(word) for word in words[1:]):
        return False
    if any(token.kind in (VERSION, BACKEND) for token in said) and any(token.mask & _COUNTED for token in said):
        return False
    if any(token.mask & _COUNTED and token.text.lower() != "one" for token in said) and _WANTS & set(words):
        return False
    return _may_be_passed(said, counted=True)


def _may_be_passed(said: Sequence[Token], *, counted: bool, only: bool = True) -> bool:
    words = set(_words(said))
    if any(_is_imperative(said, place) for place in range(1, len(said))):
        return False
    if words & _ALWAYS_BARRED or any(token.mask & _NAMED and token.kind != "word" for token in said):
        return False
    if not counted and any(
        token.kind in ("amount", "number", "duration") and token.text.lower() != "one" for token in said
    ):
        return False
    return only or not any(token.mask & _ONLY and token.text.lower() in ("only", "just", "solely") for token in said)

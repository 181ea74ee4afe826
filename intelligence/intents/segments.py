"""From the tokens of a text to its instructions: where one ends and the next begins, and what is only background.

A text is cut at full stops, numbers of a list and line ends; within those, at "and" and commas, only where that is
needed: the longest stretch that a frame fits is one instruction. What says why ("because …"), and statements without an
order in them ("the new build looks good"), are background and named in the answer. A number, a negation or a condition
is never background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from intelligence.intents.clause import Clause, MisfitError, Surroundings
from intelligence.intents.context import (
    concluded,
    is_event,
    is_heading,
    is_past,
    is_quoting,
    is_statement,
    is_telling,
    wished,
)
from intelligence.intents.english import PURPOSES, STATEMENT_WORDS
from intelligence.intents.errors import AmbiguousError, IntentError
from intelligence.intents.frames import Frame, tells_how_it_is
from intelligence.intents.framing import begins_with_purpose, introduces, is_order, is_remark, peeled, with_referent
from intelligence.intents.intents import Intent, Question
from intelligence.intents.lexicon import mask
from intelligence.intents.token import BACKEND, SERVICE, STRANGER, UNKNOWN, Token
from intelligence.intents.understanding import Need
from registry.model import ServiceKey

_BREAK = mask("BREAK")
_SOFT = mask("AND COMMA DASH THEN")
_GUARDS = mask(
    "NOT IF ONLY NOBODYBUT DENY amount number duration rate refusals ratio address country method moment url"
)
_ORDERS = mask(
    "ROUTE SPLIT OFF DENY ALLOW SCALE AUTOSCALE MIRROR RETRY TIMEOUT DRAIN UNDO RESTORE DELAY CREATE SET ON LIMIT EJECT"
    " ALERT COLLECT TRACK SHOW ENCRYPT MTLS LOGIN AUDIT KEEP"
)
_ENDING = mask("OFF NOT DENY")
_OFF = mask("OFF DENY")
_ON = mask("ON")
_FILTERING = mask("FILTERING")
_SWITCHING = mask("ON OFF NOT DENY")
_VERBS = mask(
    "SET ON OFF CREATE DENY ALLOW ROUTE SCALE KEEP NOT UNDO RESTORE SHOW LIMIT DELAY EJECT MIRROR SPLIT DRAIN TRACK"
    " COLLECT ALERT ONLY NOBODYBUT amount number duration rate"
)
_NOUNS = mask("NEW VERSIONNOUN NOUN ERRORRATE LATENCY HEALTH ABTEST")
_FRAMING = mask(
    "SET CREATE ON POLICY SECURITY NEW ZEROTRUST MONITORING ROUTE TRAFFIC TRACK OF TO WITH SERVICENOUN "
    "NOUN service DASH"
    " COMMA AND EVERY ALL ROUTENOUN ROLLOUT CHANGE SPLIT"
)
_OPENINGS = tuple(tuple(phrase.split()) for phrase in PURPOSES.split(", "))
_GREETINGS = frozenset(["hi", "hey", "hello", "dear", "thanks", "thank", "cheers", "morning"])
_MOST_ATOMS = 30
_MOST_PEELED = 2
_MOST_READ = 6
_IT = mask("IT")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stretch of text came to; the smaller its cost, the better it was understood."""

    intents: tuple[Intent, ...] = ()
    needs: tuple[Need, ...] = ()
    background: tuple[str, ...] = ()
    used: tuple[Token, ...] = ()
    segments: int = 0
    guessed: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.intents + other.intents,
            self.needs + other.needs,
            self.background + other.background,
            self.used + other.used,
            self.segments + other.segments,
            self.guessed + other.guessed,
        )

    @property
    def cost(self) -> tuple[int, int, int, int]:
        return len(self.needs), self.guessed, len(self.background), self.segments


@dataclass(slots=True)
class Reader:
    """Reads texts by one table of frames."""

    frames: Sequence[Frame]
    surroundings: Surroundings
    _head: list[Token] = field(default_factory=list)
    _verbs: list[Token] = field(default_factory=list)
    _peelings: int = 0

    def read(self, tokens: Sequence[Token]) -> tuple[Outcome, list[str]]:
        """What the text comes to, and the parts that were not understood.

        Raises:
            IntentError: it is understood, and wrong.
        """
        outcome, lost = Outcome(), []
        sentences = _sentences(tokens)
        for sentence in sentences:
            if len(sentences) > 1 and (
                (sentence is not sentences[-1] and self._only_frames(sentence))
                or (sentence is sentences[0] and _is_preamble(sentence))
            ):
                self._frame(sentence)
                continue
            self._within(sentence)
            purposed = begins_with_purpose(sentence)
            part = None if purposed else self._sentence(sentence)
            if part is not None and part.needs:
                part = self._with_shared(sentence) or part
            if part is None or part.needs:
                self._peelings = 0
                part = self._peeled(sentence) or part
            if part is None and len(sentences) > 1 and self._is_aside(sentence):
                outcome += Outcome(background=(words_of(sentence),))
            elif part is None:
                lost.append(words_of(sentence))
            else:
                outcome += part
                self._remember(part)
        return outcome, lost

    def _only_frames(self, sentence: Sequence[Token]) -> bool:
        """Whether it is a framing, and no order that is made of the same words ("allow checkout to call payment")."""
        if not _is_framing(sentence):
            return False
        if _colon(sentence, len(sentence) - 1):
            return True
        self._within(sentence)
        part = self._sentence(sentence)
        return part is None or not part.intents

    @staticmethod
    def _is_aside(sentence: Sequence[Token]) -> bool:
        """ "Big sale on Friday!", "The new build looks good.": a sentence that only says how things are. One that could
        say how the others are meant ("this is an example") is none."""
        said = {word for token in sentence for word in token.text.lower().split()}
        first = next(iter(sentence)).text.lower()
        atoms = [sentence[start:end] for start, end in _atoms(sentence)]
        return (
            not said & _UNREAL
            and first not in _ABOUT_WHAT_IS_SAID
            and (is_remark(sentence) or len(atoms) <= 2)
            and (
                is_remark(sentence)
                or all(is_event(atom) or (is_telling(atom) is not None and _is_background(atom)) for atom in atoms)
            )
        )

    def _within(self, sentence: Sequence[Token]) -> None:
        """ "… and enable mTLS": whether another service is named in the same sentence."""
        named: set[ServiceKey] = set()
        for token in services_of(sentence):
            try:
                named |= set(Clause((token,), self.surroundings).services())
            except IntentError:
                continue
        self.surroundings = replace(
            self.surroundings,
            service=next(iter(named)) if len(named) == 1 else self.surroundings.framed,
            named_elsewhere=bool(named),
        )

    def _with_shared(self, sentence: Sequence[Token]) -> Outcome | None:
        """ "Disable the retries and the timeout on cart": a list with one verb is about the service at its end."""
        service, before = self.surroundings.service, self.surroundings
        parts = [sentence[start:end] for start, end in _atoms(sentence)]
        spoken = [token for token in sentence if not token.silent]
        if (
            service is None
            or before.framed is not None
            or spoken[-1].kind != SERVICE
            or len(services_of(sentence)) != 1
            or any(token.mask & _VERBS for part in parts[1:] for token in part)
        ):
            return None
        self._head, self._verbs = [], []
        self.surroundings = replace(before, framed=service)
        found = self._sentence(sentence)
        self.surroundings = before
        return found if found is not None and not found.needs else None

    def _peeled(self, sentence: Sequence[Token], depth: int = 0) -> Outcome | None:
        """What is left of it without the clauses that only say why or by whose word, and all of which is an order."""
        for kept, passed, first in peeled(sentence):
            if not is_order(kept):
                continue
            self._peelings += 1
            if self._peelings > _MOST_READ:
                return None
            before = self.surroundings
            named = {name for token in services_of(passed) for name in token.names}
            if any(token.mask & _IT for token in kept) and first and len(named) > 1:
                continue  # which of them "it" is, is not plain
            if first and len(named) == 1 and before.service is not None:
                self.surroundings = replace(before, referent=before.service)
            self._head, self._verbs = [], []
            try:
                found = self._sentence(kept)
                if (found is None or found.needs) and depth < _MOST_PEELED:
                    found = self._peeled(kept, depth + 1)
                meant = with_referent(kept, passed) if found is None or found.needs else None
                if meant is not None:
                    found = self._sentence(meant)
            finally:
                self.surroundings = before
            if found is not None and not found.needs:
                return replace(found, background=(words_of(passed), *found.background))
        return None

    def _frame(self, sentence: Sequence[Token]) -> None:
        """ "For payment:": what follows is about that, where it names nothing else."""
        named = Clause(tuple(sentence), self.surroundings).services()
        if len(named) == 1:
            self.surroundings = replace(self.surroundings, framed=named[0])

    def _remember(self, part: Outcome) -> None:
        """ "it" means the service that was spoken of last."""
        for intent in reversed(part.intents):
            about = getattr(intent, "service", None) or getattr(intent, "target", None)
            if about is not None:
                self.surroundings = replace(self.surroundings, referent=about)
                return

    def _sentence(self, tokens: Sequence[Token]) -> Outcome | None:
        atoms = _atoms(tokens)
        if len(atoms) > _MOST_ATOMS:
            return None
        memory: dict[int, Outcome | None] = {}

        def rest(start: int) -> Outcome | None:
            """The best reading of the atoms from `start` on."""
            if start == len(atoms):
                return Outcome()
            if start in memory:
                return memory[start]
            best: Outcome | None = None
            for end in range(len(atoms), start, -1):
                stretch = tokens[atoms[start][0] : atoms[end - 1][1]]
                head, verbs = list(self._head), list(self._verbs)
                part = self._instruction(stretch)
                if (
                    part is None
                    and end - start <= 2
                    and not self._goes_on(tokens, atoms, end)
                    and _is_background(stretch, heading=_colon(tokens, atoms[end - 1][1]))
                ):
                    part = Outcome(background=(words_of(stretch),))
                if part is None:
                    continue
                after = rest(end)
                if after is not None and (start or part.intents or part.needs or after.intents or after.needs):
                    whole = part + after
                    if best is None or whole.cost < best.cost:
                        best = whole
                    if whole.cost <= (0, 0, 0, whole.segments) and end == len(atoms):
                        break
                self._head, self._verbs = head, verbs
            memory[start] = best
            return best

        found = rest(0)
        return found if found is not None and (found.intents or found.needs) else None

    @staticmethod
    def _goes_on(tokens: Sequence[Token], atoms: Sequence[tuple[int, int]], end: int) -> bool:
        """ "The team restarts the servers, then …": what comes before "then" is a step, and no background."""
        between = tokens[atoms[end - 1][1] : atoms[end][0]] if end < len(atoms) else ()
        return any(token.text.lower() in _STEPS for token in between)

    # --- one instruction ---

    def _instruction(self, tokens: Sequence[Token]) -> Outcome | None:
        tokens = _trimmed(tokens)
        if not any(not token.silent for token in tokens):
            return None if tokens else Outcome()
        bare = not any(token.mask & _VERBS and not token.mask & _FILTERING for token in tokens)
        if bare and any(token.mask & _ENDING for token in self._verbs):
            # "turn off the alerts and mTLS": what is to end is said once for both
            ending = [token for token in self._verbs if token.mask & _OFF]
            return self._fitting([*ending, *tokens], repeated=True) if ending else None
        found = self._fitting(tokens)
        if found is None and bare and self._verbs:
            found = self._fitting([*self._verbs, *tokens], repeated=True)
        if found is not None:
            return found
        cut = _without_reason(tokens)
        if cut is not None:
            kept, reason = cut
            found = self._fitting(kept)
            if found is not None:
                return replace(found, background=(words_of(reason),))
        for parted in (wished(tokens), concluded(tokens)):
            if parted is None or (parted[0][0] is not tokens[0]):
                continue
            said, kept = parted
            if not is_order(kept):
                continue
            if wished(tokens) != parted and not _is_background(said):
                continue
            found = self._instruction(kept)
            if found is not None:
                return replace(found, background=(words_of(said), *found.background))
        if self._head and any(not token.silent and token.kind not in ("word", "mark", UNKNOWN) for token in tokens):
            found = self._fitting([*self._head, *tokens], repeated=True)
            if found is not None:
                return replace(found, guessed=found.guessed + 1)
        return None

    def _fitting(self, tokens: Sequence[Token], *, repeated: bool = False) -> Outcome | None:
        union = 0
        for token in tokens:
            union |= token.mask
        clause = Clause(tuple(tokens), self.surroundings)
        relative = _is_relative(tokens)
        if _is_on_and_off(tokens) or _approves(tokens):
            return None
        stays = any(token.text.lower() in ("stays", "remains") for token in tokens)
        of_some = any(token.text.lower() in _SOME_USERS for token in tokens)
        verdict: Outcome | None = None
        weight = 0
        for frame in self.frames:
            if verdict is not None and frame.weight < weight:
                break
            if not frame.covers(tokens, union):
                continue
            if stays and frame.name not in _LEAVING:
                continue
            if of_some and frame.name not in _OF_SOME_USERS:
                continue
            if frame.name in _SWITCHES and any(
                token.text.lower().split()[0] in _LESS for token in tokens if token.text
            ):
                continue
            if relative and frame.name not in _MEANT_RELATIVELY:
                need = Need("amount", "how much is it to be in all (not: how much more or less)?")
                verdict = verdict or Outcome(needs=(need,), used=tuple(tokens), segments=1)
                continue
            try:
                intents = tuple(frame.build(clause))
            except MisfitError:
                continue
            except AmbiguousError as error:
                need = Need(error.what, error.question, error.choices)
                made = Outcome(needs=(need,), used=tuple(tokens), segments=1)
            else:
                if not all(isinstance(intent, Question) for intent in intents) and tells_how_it_is(tokens):
                    continue
                made = Outcome(intents=intents, used=tuple(tokens), segments=1)
            if verdict is None:
                verdict, weight = made, frame.weight
                if not repeated:
                    self._head = frame.head(tokens)
                    self._verbs = [t for t in tokens if t.kind == "word" and t.mask & _SWITCHING and not t.silent]
            elif verdict.needs and made.intents:
                verdict = made
            elif made.intents and verdict.intents and made.intents != verdict.intents:
                choices = tuple(str(intent) for intent in (*verdict.intents[:1], *made.intents[:1]))
                return Outcome(needs=(Need("meaning", "which is meant:", choices),), used=tuple(tokens), segments=1)
        return verdict


_LEAVING = frozenset(("split", "bare split", "route all", "put all", "alert", "advance"))
"""The frames that have a place for what stays as it is, or above a bound."""
_SOME_USERS_TEXT = (
    "beta users,beta user,beta testers,beta tester,beta customers,beta group,internal users,employees,staff,"
    "premium users,premium customers,vip users,"
    "internal testers,testers,tester,early adopters,paying customers,subscribers,subscriber"
)
_SOME_USERS = frozenset(_SOME_USERS_TEXT.split(","))
"""A part of all callers: only a frame that can tell them apart may take such a word."""
_OF_SOME_USERS = frozenset(("match", "kpi"))
_UNREAL_TEXT = (
    "example examples hypothetical hypothetically draft quote quoted joke joking kidding dry proposal idea suggestion "
    "wrong mistake mistaken imagine suppose assume pretend later maybe perhaps ignore forget wait cancelled canceled "
    "already done reminder plan plans planned proposed proposes story fiction poem prompt said says wrote disregard "
    "nonsense hold hypothesis theory theoretical sample rumor rumour question asking wondering undecided unsure "
    "sentence text message command instruction instructions order test"
)
_UNREAL = frozenset(_UNREAL_TEXT.split())
_ABOUT_WHAT_IS_SAID = frozenset(("this", "that", "it", "it's", "that's", "these", "those", "such"))
_SWITCHES = frozenset(("mtls", "login", "no anonymous", "audit", "threats", "compression", "suspicious"))
_LESS_TEXT = (
    "cut reduce decrease lower lessen loosen weaken ease pull take move migrate shift flip clear close shrink limit "
    "lighten trim slash restrict pause suspend skip bypass"
)
_LESS = frozenset(_LESS_TEXT.split())
"""Verbs that no switch is turned on by: with one of them, it is not plain that it is to be on."""
_MEANT_RELATIVELY = ("fault", "restore")


_STARTS = frozenset(("enable", "turn on", "activate", "switch on", "start", "on"))
_ENDS = frozenset(("disable", "turn off", "deactivate", "switch off", "off"))


def _is_on_and_off(tokens: Sequence[Token]) -> bool:
    """ "Turn it on and off": two orders, that cannot be one."""
    on = any(token.text.lower() in _STARTS and token.mask & _ON for token in tokens)
    return on and any(token.text.lower() in _ENDS for token in tokens)


def _is_relative(tokens: Sequence[Token]) -> bool:
    """ "increase it by 10%": how much that is in all, nobody said."""
    return any(
        one.text.lower() == "by" and other.kind in ("amount", "number", "duration", "rate", "refusals")
        for one, other in pairwise(tokens)
    )


def words_of(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens if token.text.strip()).strip(" ,;:-.")


def _sentences(tokens: Sequence[Token]) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "mark" and token.mask & _BREAK:
            found.append([])
        else:
            found[-1].append(token)
    return [
        sentence for sentence in found if any(token.kind != "mark" and not _is_courtesy(token) for token in sentence)
    ]


def _is_courtesy(token: Token) -> bool:
    return token.silent and not token.mask


def _atoms(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """The stretches between connectors, as places [from, to)."""
    found: list[tuple[int, int]] = []
    start = 0
    for place, token in enumerate(tokens):
        if token.mask & _SOFT and token.kind in ("mark", "word") and token.text.lower() not in _NO_CUT:
            if any(other.kind != "mark" for other in tokens[start:place]):
                found.append((start, place))
            start = place + 1
    if any(other.kind != "mark" for other in tokens[start:]):
        found.append((start, len(tokens)))
    return found


_NO_CUT = frozenset(("the next", "second", "third", "first", "on top"))


def _trimmed(tokens: Sequence[Token]) -> list[Token]:
    start, end = 0, len(tokens)
    while (
        start < end
        and tokens[start].mask & _SOFT
        and tokens[start].kind in ("mark", "word")
        and tokens[start].silent | (tokens[start].text.lower() in _EDGES)
    ):
        start += 1
    while end > start and tokens[end - 1].mask & _SOFT and tokens[end - 1].kind in ("mark", "word"):
        end -= 1
    return list(tokens[start:end])


_STEPS = frozenset(("then", "and then", "after that", "afterwards", "next", "followed by", "finally", "lastly"))
_EDGES = frozenset(
    ("and", "then", "and then", "but", "&", "plus", "also", "after that", "afterwards", "finally", "while", "or")
)


def _is_framing(tokens: Sequence[Token]) -> bool:
    """ "Create a zero-trust security policy that:": it says that orders follow, and orders nothing."""
    return all(token.silent or token.mask & _FRAMING for token in tokens) and not any(
        token.kind in ("amount", "number", "version") for token in tokens
    )


def _is_preamble(tokens: Sequence[Token]) -> bool:
    """ "After the incident we agreed on the following for orders:", before a list: it says what the list is about."""
    if not tokens or not _colon(tokens, len(tokens) - 1):
        return False
    return all(_is_framing(part) or _introduces(part) for part in (tokens[a:b] for a, b in _atoms(tokens)))


def _introduces(part: Sequence[Token]) -> bool:
    if _is_background(part, heading=True) or introduces(part):
        return True
    said = {word for token in part for word in token.text.lower().split()}
    return bool(said & _INTRODUCING) and not any(
        (token.mask & _GUARDS and token.kind != "number")
        or (token.mask & _ORDERS and not token.mask & _NOUNS and not token.silent)
        for token in part
    )


_INTRODUCING = frozenset(("following", "follows", "agreed", "checklist", "list", "steps", "things", "points", "items"))


def _colon(tokens: Sequence[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].text in (":", "：")


def _is_background(tokens: Sequence[Token], *, heading: bool = False) -> bool:
    """A statement without an order, a reason, a greeting, or, before a colon, a heading."""
    said = [word for token in tokens if token.kind != "mark" for word in token.text.lower().split()]
    if any(word in _OPPOSING for word in said) or _stays(said):
        return False
    if _approves(tokens) and not _JUDGED & set(said):
        return False
    if is_event(tokens):
        return True
    telling = is_telling(tokens)
    if any(token.mask & _GUARDS for token in (tokens if telling is None else telling)) or (
        heading and is_quoting(tokens)
    ):
        return False
    if telling is not None:
        return True
    words = [word for token in tokens for word in token.text.lower().split()]
    if not words or any(word in _ADDRESSED for word in words):
        return False
    if all(token.silent and not token.mask & ~mask("AND THEN") for token in tokens):
        return True
    if (
        words[0] in _GREETINGS
        and len(words) <= 3
        and not any(token.mask & _ORDERS and not token.silent for token in tokens)
    ):
        return True
    if _opening(words) is not None:
        return True
    spoken = [word for word in words if word != "please"]
    ordering = any(token.mask & _ORDERS and not token.mask & _NOUNS and not token.silent for token in tokens)
    if ordering and is_past(tokens):
        ordering = any(
            token.mask & _ORDERS
            and not token.mask & _NOUNS
            and not token.silent
            and not token.text.lower().endswith("ed")
            for token in tokens
        )
    if not ordering and (is_statement(tokens) or (heading and is_heading(tokens))):
        return True
    return (
        any(word in STATEMENT_WORDS or word.endswith(("'s", "'re", "'ve", "'m")) for word in spoken)
        and not ordering
        and not _polite_order(words)
    )


_OPPOSING_TEXT = (
    "against opposed opposes opposing object objects objected disagree disagrees veto vetoed vetoes forbade forbids "
    "unhappy hates dislikes cancelled canceled postponed approval approve approves approved permission wait "
    "unsure undecided refuses refused pending hesitant worried doubts doubt disapproves reject rejects "
    "exempt exempted untouched welcome "
    "exemption exemptions exception exceptions excepted excluded excludes excluding spared unaffected "
    "enough twice once discuss talk talks think decide decides review reviews gone free open access allowed permitted "
    "otherwise alone separate separately different differently instead first more less fewer "
    "needed necessary unnecessary pointless useless "
    "unlimited unrestricted privileged trusted bypass bypasses skip skips special"
)
_OPPOSING = frozenset(_OPPOSING_TEXT.split())
"""Words of a statement that may mean that the order beside it is not to be carried out."""

_STAYING = frozenset(("keep", "keeps", "stay", "stays", "remain", "remains", "retain", "retains"))


def _stays(said: Sequence[str]) -> bool:
    """ "The embassy keeps its access", and not "the queue keeps growing"."""
    return any(one in _STAYING and not two.endswith("ing") for one, two in pairwise([*said, ""]))


_JUDGED = frozenset(
    ("build", "canary", "release", "test", "tests", "version", "numbers", "metrics", "everything", "v2")
)
_APPROVED = frozenset(("ok", "okay", "fine", "good", "alright", "welcome", "exempt", "excluded"))
_ASKED = frozenset(("which", "what", "who", "how", "is", "are", "if", "see", "show", "whether", "check", "tell"))


def _approves(tokens: Sequence[Token]) -> bool:
    """ "… Hong Kong is ok": what is left as it is, which no frame has a place for."""
    said = [word for token in tokens if token.kind != "mark" for word in token.text.lower().split()]
    return not _ASKED & set(said[:2]) and any(one in ("is", "are") and two in _APPROVED for one, two in pairwise(said))


_SAID_TO_US = (
    "you your yourself ignore forget instructions instruction pretend imagine act override system admin "
    "root sudo prompt"
    " rules"
)
_ADDRESSED = frozenset(_SAID_TO_US.split())
"""What is said to the machine, and not about the world, is an order, or means to be one."""


def _polite_order(words: Sequence[str]) -> bool:
    return words[0] in ("can", "could", "would", "will", "let", "please")


@lru_cache(maxsize=1)
def _openings_by_first() -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for opening in _OPENINGS:
        found.setdefault(opening[0], []).append(opening)
    return found


def _opening(words: Sequence[str]) -> tuple[str, ...] | None:
    return next((o for o in _openings_by_first().get(words[0], ()) if tuple(words[: len(o)]) == o), None)


def _without_reason(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]] | None:
    """An instruction and the reason that follows it, or that it follows."""
    for place in range(1, len(tokens)):
        words = [word for token in tokens[place : place + 4] for word in token.text.lower().split()]
        after_mark = tokens[place - 1].kind == "mark" and words[:1] and words[0] in _PARTICIPLES
        if words[:1] == ["since"] and words[1:2] in (["yesterday"], ["today"], ["last"], ["this"]):
            continue
        if words and (after_mark or _opening(words) is not None):
            reason = list(tokens[place:])
            said = {word for token in reason for word in token.text.lower().split()}
            if not said & _SCOPED and not any(token.mask & _GUARDS for token in reason):
                return list(tokens[:place]), reason
    return None


_SCOPED = frozenset(("staging", "sandbox", "dev", "development", "qa", "preprod"))
_PARTICIPLES = frozenset(("testing", "debugging", "preparing", "investigating", "troubleshooting", "hoping", "trying"))
"""What begins a reason after a comma: "…, testing my error page"."""


def services_of(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.kind in (SERVICE, BACKEND, STRANGER)]

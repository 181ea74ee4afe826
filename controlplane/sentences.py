"""Sentences: understood, planned, answered, and, once somebody said yes, applied. The admin API calls these."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from controlplane.errors import NotConfirmedError
from controlplane.operations import Applied, Attribution, Operations
from controlplane.proposals import Proposal, Proposals, Talks
from controlplane.questions import Questions, moment_of
from controlplane.traffic import ServiceTraffic, traffic_of
from intelligence.intents.answer import NO_RISK, Answer
from intelligence.intents.errors import AmbiguousError, IntentError, NotUnderstoodError, UnknownNameError
from intelligence.intents.intents import Intent, Question, Restore, Undo
from intelligence.intents.names import Vocabulary
from intelligence.intents.parse import silence, understand
from intelligence.intents.parser import Parser
from intelligence.intents.plan import Written, write
from intelligence.intents.risk import risk_of, touched
from intelligence.intents.talk import Talk, is_farewell
from intelligence.intents.understanding import Need, Understanding
from policy.errors import PolicyError
from registry.mesh import Mesh
from registry.model import Document
from xds.loads import ClusterLoad

_SURE_ENOUGH = 0.5
"""Below this confidence a parser's answer is not planned."""


class Sentences:
    """The ways to say something to the mesh. Changes nothing but in `confirm`."""

    def __init__(
        self,
        operations: Operations,
        *,
        parsers: Sequence[Parser],
        questions: Questions,
        loads: Callable[[], Iterable[ClusterLoad]] = tuple,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._operations = operations
        self._parsers = parsers
        self._questions = questions
        self._loads = loads
        self._now = now
        self._proposals = Proposals()
        self._talks = Talks()
        self._known: tuple[Mesh, Vocabulary] | None = None

    def new_conversation(self) -> str:
        """A name for a talk that nobody else has."""
        return secrets.token_urlsafe(9)

    async def propose(
        self, sentence: str, *, conversation: str = "", progress: Callable[[str], None] = silence
    ) -> Proposal:
        """The answer to `sentence`, to be confirmed if it holds a plan. Never raises for what a sentence says.

        conversation: sentences of one name are one talk: "make it 30" is about what was understood before.
        """
        talk = self._talks.of(conversation)
        answer, talk = await self.answer(sentence, talk, progress=progress)
        self._talks.keep(conversation, talk)
        if answer.applicable and answer.plan is not None and answer.plan.changes:
            return self._proposals.add(answer)
        return Proposal("", answer)

    def traffic(self, answer: Answer) -> tuple[ServiceTraffic, ...]:
        """What flows now to the services that an answer is about, as far as proxies have told."""
        return traffic_of(answer.touched, self._operations.mesh, self._loads(), now=self._now())

    async def answer(
        self, sentence: str, talk: Talk, *, progress: Callable[[str], None] = silence
    ) -> tuple[Answer, Talk]:
        """The answer to `sentence` in a talk, and the talk after it."""
        if is_farewell(sentence) and talk.pending:
            return Answer(sentence, shown=("never mind, then: nothing was changed",)), Talk("", talk.last)
        mesh = self._operations.mesh
        vocabulary = self._vocabulary(mesh)
        try:
            understanding, full = await understand(
                sentence, vocabulary, parsers=self._parsers, talk=talk, progress=progress
            )
        except AmbiguousError as error:
            needs = (Need(error.what, error.question, error.choices),)
            return Answer(sentence, needs=needs), replace(talk, pending=sentence)
        except IntentError as error:
            return _refused(sentence, error), talk
        progress("planning")
        answer = await self._planned(sentence, understanding, mesh)
        if answer.needs and not understanding.needs:
            understanding = replace(understanding, needs=answer.needs)
        return answer, talk.after(full, understanding)

    async def confirm(self, proposal_id: str, *, by: Attribution, typed: str = "") -> Applied:
        """Applies a proposal, once.

        typed: the name that a destructive or wide plan asks for.

        Raises:
            NotFoundError: there is no such proposal, or it has expired.
            NotConfirmedError: its name was not typed.
            ConflictError: a document that it changes has changed since; PolicyError: it would not be valid any more.
        """
        proposal = self._proposals.get(proposal_id)
        answer = proposal.answer
        assert answer.plan is not None, "only answers with a plan are kept"
        if answer.risk.confirm and typed.strip() != answer.risk.confirm:
            raise NotConfirmedError(
                f"this plan is destructive or wide ({'; '.join(answer.risk.reasons)}): "
                f'got "{typed}" as its name, want "{answer.risk.confirm}"; nothing was changed'
            )
        reason = by.reason or answer.sentence
        applied = await self._operations.commit(answer.plan.changes, by=Attribution(by.author, reason))
        self._proposals.discard(proposal_id)
        return applied

    # --- inside ---

    def _vocabulary(self, mesh: Mesh) -> Vocabulary:
        """The names of `mesh`; made anew only when services or endpoints are others."""
        if self._known is not None:
            known, vocabulary = self._known
            if known.services is mesh.services and known.endpoints is mesh.endpoints:
                return vocabulary
            if known.services == mesh.services and known.endpoints == mesh.endpoints:
                self._known = (mesh, vocabulary)
                return vocabulary
        vocabulary = Vocabulary.of(mesh)
        self._known = (mesh, vocabulary)
        return vocabulary

    async def _planned(self, sentence: str, understanding: Understanding, mesh: Mesh) -> Answer:
        if understanding.confidence < _SURE_ENOUGH:
            return Answer(
                sentence,
                understanding,
                refusal=f"only {understanding.confidence:.0%} sure of it: say it in other words",
            )
        questions = tuple(intent for intent in understanding.intents if isinstance(intent, Question))
        orders = tuple(intent for intent in understanding.intents if not isinstance(intent, Question))
        shown = [line for question in questions for line in await self._questions.answered(question)]
        if not orders:
            return Answer(sentence, understanding, needs=understanding.needs, shown=tuple(shown))
        try:
            written = await self._written(orders, mesh)
            plan = await self._operations.plan_changes(written.changes)
        except AmbiguousError as error:
            needs = (*understanding.needs, Need(error.what, error.question, error.choices))
            return Answer(sentence, understanding, needs=needs)
        except IntentError as error:
            return replace(_refused(sentence, error), understanding=understanding)
        except PolicyError as error:
            said = "; ".join(str(problem) for problem in error.problems)
            return Answer(sentence, understanding, refusal=f"what it asks for is refused: {said}; nothing was changed")
        return Answer(
            sentence,
            understanding,
            plan=plan,
            risk=risk_of(orders, plan.changes, mesh, dangers=written.dangers) if plan.changes else NO_RISK,
            needs=(*understanding.needs, *written.needs),
            refusal="; ".join(written.unsupported),
            notes=(*written.notes, *self._questions.standing(plan.changes)),
            shown=tuple(shown),
            touched=touched(orders, plan.changes, mesh),
        )

    async def _written(self, orders: Sequence[Intent], mesh: Mesh) -> Written:
        match orders:
            case (Undo(),):
                number = await self._last_with_documents()
                changes = await self._operations.plan_restoring(number - 1)
                return Written(changes, (f"revision {number} is taken back",))
            case (Restore() as restore,):
                number = await self._revision_at(restore)
                changes = await self._operations.plan_restoring(number)
                return Written(changes, (f"documents as of revision {number}",))
            case _:
                known = self._operations
                return write(orders, mesh, now=self._now(), identities=known.identities, lists=known.lists)

    async def _last_with_documents(self) -> int:
        """The newest revision that changed documents."""
        before: int | None = None
        while revisions := await self._operations.revisions(before=before, limit=100):
            for revision in revisions:
                if any(isinstance(change.item, Document) for change in revision.changes):
                    return revision.number
            before = revisions[-1].number
        raise UnknownNameError("change of documents", "last", ())

    async def _revision_at(self, restore: Restore) -> int:
        newest = self._operations.mesh.revision
        if restore.revision is not None:
            if not 0 <= restore.revision <= newest:
                raise UnknownNameError("revision", str(restore.revision), (f"0 to {newest}",))
            return restore.revision
        moment = moment_of(restore, self._now())
        before: int | None = None
        while revisions := await self._operations.revisions(before=before, limit=100):
            for revision in revisions:
                if revision.at <= moment:
                    return revision.number
            before = revisions[-1].number
        raise UnknownNameError(
            "revision as old as", moment.isoformat(timespec="minutes"), (f"1 to {newest}",) if newest else ()
        )


def _refused(sentence: str, error: IntentError) -> Answer:
    parts = error.parts if isinstance(error, NotUnderstoodError) else ()
    notes = tuple(getattr(error, "__notes__", ()))
    return Answer(sentence, refusal=str(error), not_understood=parts, notes=notes)

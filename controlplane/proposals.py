"""Plans that wait for somebody's yes: bounded in number and in time."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from controlplane.errors import NotFoundError
from intelligence.intents.intents import Understanding
from policy.plan import Plan

_LIMIT = 100
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sentence, what was understood of it, and what it would do."""

    id: str
    sentence: str
    understanding: Understanding
    plan: Plan
    expires: float


class Proposals:
    """The open proposals. The oldest make room for new ones."""

    def __init__(self) -> None:
        self._open: dict[str, Proposal] = {}

    def add(self, sentence: str, understanding: Understanding, plan: Plan) -> Proposal:
        while len(self._open) >= _LIMIT:
            del self._open[next(iter(self._open))]
        proposal = Proposal(secrets.token_urlsafe(9), sentence, understanding, plan, time.monotonic() + _SECONDS)
        self._open[proposal.id] = proposal
        return proposal

    def get(self, id: str) -> Proposal:  # noqa: A002  # the field's own name
        """Raises NotFoundError if there is none, or it has expired."""
        proposal = self._open.get(id)
        if proposal is None or proposal.expires < time.monotonic():
            raise NotFoundError("no such proposal is open: it was confirmed, or is older than ten minutes; ask again")
        return proposal

    def discard(self, id: str) -> None:  # noqa: A002
        self._open.pop(id, None)

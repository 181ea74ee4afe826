"""Plans that wait for somebody's yes, and talks that go on: bounded in number and in time."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Generic, TypeVar

from controlplane.errors import NotFoundError
from intelligence.intents.answer import Answer
from intelligence.intents.talk import Talk

_LIMIT = 100
_SECONDS = 600.0
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that can be confirmed under this id."""

    id: str
    answer: Answer


class _Kept(Generic[ValueT]):
    """Values by id. The oldest make room for new ones; none outlives ten minutes."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, ValueT]] = {}

    def put(self, id: str, value: ValueT) -> None:  # noqa: A002  # the field's own name
        self._values.pop(id, None)
        while len(self._values) >= _LIMIT:
            del self._values[next(iter(self._values))]
        self._values[id] = (time.monotonic() + _SECONDS, value)

    def get(self, id: str) -> ValueT | None:  # noqa: A002
        expires, value = self._values.get(id, (0.0, None))
        return value if expires >= time.monotonic() else None

    def discard(self, id: str) -> None:  # noqa: A002
        self._values.pop(id, None)


class Proposals:
    """The open proposals."""

    def __init__(self) -> None:
        self._open: _Kept[Answer] = _Kept()

    def add(self, answer: Answer) -> Proposal:
        proposal = Proposal(secrets.token_urlsafe(9), answer)
        self._open.put(proposal.id, answer)
        return proposal

    def get(self, id: str) -> Proposal:  # noqa: A002
        """Raises NotFoundError if there is none, or it has expired."""
        answer = self._open.get(id)
        if answer is None:
            raise NotFoundError("no such proposal is open: it was confirmed, or is older than ten minutes; ask again")
        return Proposal(id, answer)

    def discard(self, id: str) -> None:  # noqa: A002
        self._open.discard(id)


class Talks:
    """What was said before, by the name that a client gave its conversation."""

    def __init__(self) -> None:
        self._talks: _Kept[Talk] = _Kept()

    def of(self, conversation: str) -> Talk:
        return (self._talks.get(conversation) if conversation else None) or Talk()

    def keep(self, conversation: str, talk: Talk) -> None:
        if conversation:
            self._talks.put(conversation, talk)

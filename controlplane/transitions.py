"""Since when each condition of a document is as it is, and of which state of the document it is told.

Conditions are judged when somebody asks (`policy.conditions`), or looks (`controlplane.noticing`). This keeps what they
were the time before.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.model import Document, DocumentKey, Revision

_PAGE, _MOST_CHANGES = 100, 20_000
_PARTS = {"parents": "parentRef", "ancestors": "ancestorRef", "listeners": "name"}

Revisions = Callable[[int | None, int], Awaitable[Iterable[Revision]]]
"""Some revisions before a number (None: the newest), from the newest on."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """When a document was changed last."""

    revision: int
    at: datetime


@dataclass(frozen=True, slots=True)
class _Seen:
    status: str
    since: datetime


class Transitions:
    """The books of one control plane. now: aware, in UTC."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._changed: dict[DocumentKey, _Changed] = {}
        self._before = _Changed(0, now())  # what is said of documents that changed before all that was looked at
        self._seen: dict[DocumentKey, dict[tuple[str, str], _Seen]] = {}

    async def load(self, documents: Collection[DocumentKey], revisions: Revisions) -> None:
        """Finds out when `documents` were changed last, from the log; of those that changed too long ago for that, the
        oldest revision that was looked at stands for it."""
        missing, before, looked = set(documents), None, 0
        while missing and looked < _MOST_CHANGES:
            page = list(await revisions(before, _PAGE))
            for revision in page:
                looked += len(revision.changes)
                before, self._before = revision.number, _Changed(revision.number, revision.at)
                for key in _documents(revision):
                    if key in missing:
                        missing.discard(key)
                        self._changed[key] = self._before
            if len(page) < _PAGE:
                break

    def on_revision(self, revision: Revision) -> None:
        """Something changed."""
        for change in revision.changes:
            if isinstance(change.item, Document):
                if change.after is None:
                    self._changed.pop(change.item.key, None)
                    self._seen.pop(change.item.key, None)
                else:
                    self._changed[change.item.key] = _Changed(revision.number, revision.at)

    def stamped(self, key: DocumentKey, status: dict[str, Any]) -> dict[str, Any]:
        """`status` with `lastTransitionTime` and `observedGeneration` in each condition, as Gateway API has them.

        A condition that was not looked at before is as it is since the document was changed. What was otherwise for a
        while between two looks is not noticed.
        """
        changed = self._changed.get(key, self._before)
        seen, known = self._seen.get(key, {}), dict[tuple[str, str], _Seen]()
        for part, conditions in _places(status):
            for condition in conditions:
                place = (part, condition["type"])
                entry = seen.get(place)
                if entry is None:
                    entry = _Seen(condition["status"], changed.at)
                elif entry.status != condition["status"]:
                    entry = _Seen(condition["status"], self._now())
                known[place] = entry
                condition["lastTransitionTime"] = entry.since.strftime("%Y-%m-%dT%H:%M:%SZ")
                condition["observedGeneration"] = changed.revision
        if known:
            self._seen[key] = known
        return status


def _documents(revision: Revision) -> Iterator[DocumentKey]:
    for change in revision.changes:
        if isinstance(change.item, Document):
            yield change.item.key


def _places(status: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The lists of conditions, each with a name of its own: that of the parent, target or listener that it is about."""
    yield "", status.get("conditions", [])
    for field, name in _PARTS.items():
        for part in status.get(field, []):
            yield f"{field} {json.dumps(part[name], sort_keys=True)}", part["conditions"]

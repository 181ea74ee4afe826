"""Since when conditions are as they are: what counts as a transition, and what does not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlplane.transitions import Transitions
from registry.model import Change, Document, DocumentKey, Endpoint, Revision

KEY = DocumentKey("HTTPRoute", "default", "payment")
OTHER = DocumentKey("HTTPRoute", "default", "other")
START = datetime(2030, 1, 1, tzinfo=UTC)


def document(key: DocumentKey) -> Document:
    return Document(*key, body="{}")


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def revision(number: int, *changes: Change) -> Revision:
    return Revision(number, at(number), "test", "", changes)


def parents(*statuses: str) -> dict[str, Any]:
    """The status of a route with a parent for each."""
    return {
        "parents": [
            {"parentRef": {"name": f"edge-{index}"}, "conditions": [{"type": "Accepted", "status": status}]}
            for index, status in enumerate(statuses)
        ]
    }


class Clock:
    now = at(60)

    def __call__(self) -> datetime:
        return self.now


def told(transitions: Transitions, status: dict[str, Any], key: DocumentKey = KEY) -> list[tuple[str, int]]:
    return [
        (condition["lastTransitionTime"][11:16], condition["observedGeneration"])
        for part in transitions.stamped(key, status)["parents"]
        for condition in part["conditions"]
    ]


@pytest.fixture
def transitions() -> Transitions:
    made = Transitions(now=Clock())
    made.on_revision(revision(3, Change(None, document(KEY))))
    return made


def test_what_nobody_asked_about_is_so_since_the_document_changed(transitions: Transitions) -> None:
    assert told(transitions, parents("True", "False")) == [("00:03", 3), ("00:03", 3)]


def test_a_flip_is_noticed_when_somebody_asks_and_only_of_what_flipped(transitions: Transitions) -> None:
    told(transitions, parents("True", "False"))
    assert told(transitions, parents("True", "True")) == [("00:03", 3), ("01:00", 3)]
    transitions.on_revision(revision(9, Change(None, document(OTHER))))
    assert told(transitions, parents("True", "True")) == [("00:03", 3), ("01:00", 3)]


def test_a_change_of_the_document_is_a_generation_and_no_transition(transitions: Transitions) -> None:
    told(transitions, parents("True"))
    transitions.on_revision(revision(5, Change(document(KEY), document(KEY))))
    assert told(transitions, parents("True")) == [("00:03", 5)]


def test_a_parent_is_known_by_its_reference_and_not_by_its_place(transitions: Transitions) -> None:
    told(transitions, parents("True", "False"))
    turned = parents("True", "False")
    turned["parents"].reverse()
    assert told(transitions, turned) == [("00:03", 3), ("00:03", 3)]


def test_a_document_that_was_gone_is_another_one(transitions: Transitions) -> None:
    told(transitions, parents("False"))
    told(transitions, parents("True"))
    transitions.on_revision(revision(7, Change(document(KEY), None)))
    transitions.on_revision(revision(8, Change(None, document(KEY))))
    assert told(transitions, parents("True")) == [("00:08", 8)]


@pytest.mark.asyncio
async def test_the_log_says_when_standing_documents_were_changed() -> None:
    endpoint = Endpoint("default", "payment", "10.0.0.1", 80)
    log = [revision(number, Change(None, endpoint)) for number in range(1, 400)]
    log[149] = revision(150, Change(None, document(KEY)))
    log[299] = revision(300, Change(document(KEY), document(KEY)))
    pages = 0

    async def revisions(before: int | None, limit: int) -> Iterable[Revision]:
        nonlocal pages
        pages += 1
        return [item for item in reversed(log) if before is None or item.number < before][:limit]

    transitions = Transitions(now=Clock())
    await transitions.load([KEY], revisions)
    assert told(transitions, parents("True"))[0][1] == 300
    assert pages == 1
    await transitions.load([OTHER], revisions)  # which is older than the log
    assert told(transitions, parents("True"), OTHER)[0][1] == 1

"""How requests are treated, as attached policies."""

from __future__ import annotations

from intelligence.intents.intents import Retries
from intelligence.intents.said import span
from intelligence.intents.writing.draft import Draft, name_of


def retries(intent: Retries, draft: Draft) -> None:
    for namespace, refs in draft.requests_to(intent.target):
        spec = {"attempts": intent.attempts, "perTryTimeout": span(intent.per_try) if intent.per_try else None}
        if intent.per_try is None:
            del spec["perTryTimeout"]
        draft.attach("RetryPolicy", namespace, refs, name=name_of(intent.target), spec=spec)

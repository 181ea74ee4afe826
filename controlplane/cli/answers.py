"""An answer for people and for programs. The programs' form is stable: docs/sentences.md describes it."""

from __future__ import annotations

import json
from typing import Any

import yaml
from rich.markup import escape

from controlplane.cli.output import Output
from protos.apg.admin.v1 import admin_pb2 as pb

_OPERATIONS = {pb.OPERATION_ADD: "add", pb.OPERATION_CHANGE: "change", pb.OPERATION_REMOVE: "remove"}
_COLOURS = {"none": "dim", "low": "green", "medium": "yellow", "high": "red"}


def as_data(sentence: str, answer: pb.ProposeResponse, *, revision: int | None = None) -> dict[str, Any]:
    """The answer as JSON holds it. `revision` is the one that it was applied as; None: it was not."""
    return {
        "sentence": sentence,
        "intents": [
            {**json.loads(intent.json), "words": intent.words, "confidence": round(intent.confidence, 2)}
            for intent in answer.intents
        ],
        "documents": [_document(diff) for diff in answer.plan.documents],
        "confidence": round(answer.confidence, 2),
        "risk": {
            "grade": answer.risk.grade or "none",
            "reasons": list(answer.risk.reasons),
            "confirm": answer.risk.confirm or None,
        },
        "needs": [
            {"what": need.what, "question": need.question, "choices": list(need.choices)} for need in answer.needs
        ],
        "refusal": answer.refusal or None,
        "not_understood": list(answer.not_understood),
        "words": list(answer.understood),
        "notes": list(answer.notes),
        "answer": list(answer.shown),
        "warnings": list(answer.plan.warnings),
        "services": list(answer.services),
        "traffic": [
            {
                "service": found.service,
                "requests_per_second": round(found.requests_per_second, 2),
                "failed_percent": round(found.failed_percent, 2),
            }
            for found in answer.traffic
        ]
        or None,
        "parser": answer.parser or None,
        "language": answer.language or None,
        "proposal": answer.proposal_id or None,
        "revision": revision,
    }


def why_not(answer: pb.ProposeResponse) -> str:
    """What keeps it from being applied: the refusal, or what is asked back; "" if nothing does."""
    if answer.refusal:
        return answer.refusal
    asked = [f"asked back: {need.question}{_offered(need)}" for need in answer.needs]
    return "\n".join([*asked, "nothing was changed"]) if asked else ""


def _offered(need: pb.Need) -> str:
    return f" {', '.join(need.choices)}?" if need.choices else ""


def _document(diff: pb.DocumentDiff) -> dict[str, Any]:
    return {
        "operation": _OPERATIONS[diff.operation],
        "kind": diff.key.kind,
        "namespace": diff.key.namespace,
        "name": diff.key.name,
        "before": yaml.safe_load(diff.before_yaml) if diff.before_yaml else None,
        "after": yaml.safe_load(diff.after_yaml) if diff.after_yaml else None,
    }


def show(printer: Output, answer: pb.ProposeResponse) -> None:
    """Says what was understood, and what it comes to, but for the plan itself."""
    console = printer.console
    for words in answer.understood:
        console.print(f"[bold]understood[/] ({answer.parser}, {answer.confidence:.0%} sure): {escape(words)}")
    for line in answer.shown:
        console.print(escape(line))
    for found in answer.traffic:
        console.print(
            f"now {escape(found.service)} has {found.requests_per_second:.3g} requests a second, "
            f"{found.failed_percent:.3g}% of them fail"
        )
    for note in answer.notes:
        console.print(f"[dim]note[/] {escape(note)}")
    if answer.risk.grade not in ("", "none"):
        colour = _COLOURS.get(answer.risk.grade, "red")
        reasons = f": {'; '.join(answer.risk.reasons)}" if answer.risk.reasons else ""
        console.print(f"[{colour}]risk {answer.risk.grade}[/]{escape(reasons)}")

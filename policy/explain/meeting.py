"""What one part of a proxy makes of a request: the shape that all of `policy.explain` speaks in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from policy.attached import AttachedPolicy
from policy.compiler.inputs import RoutedRule
from policy.explain.explanation import Answered, Effect, Step
from policy.explain.request import Request
from policy.identities import Identity


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is: at `rule`, by way of a listener. asks: whose authorities a client's certificate must come
    from, if the listener asks for one. now: when it is."""

    rule: RoutedRule
    now: datetime
    asks: Identity | None = None


class Met(NamedTuple):
    """Steps, the request as it goes on, and the answer, where it goes no further."""

    request: Request
    steps: tuple[Step, ...] = ()
    answer: Answered | None = None


def passing(request: Request, policy: AttachedPolicy, words: str, *, path: str = "") -> Met:
    """`policy` lets the request on."""
    return Met(request, (Step(policy.KIND, Effect.PASSES, words, str(policy.key), path),))


def doubting(request: Request, policy: AttachedPolicy, words: str, *, path: str = "") -> Met:
    """`policy` may refuse the request, by what it alone does not show."""
    return Met(request, (Step(policy.KIND, Effect.MAY_REFUSE, words, str(policy.key), path),))


def refusing(request: Request, policy: AttachedPolicy, status: int, words: str, *, path: str = "") -> Met:
    """`policy` has the request answered with `status`."""
    step = Step(policy.KIND, Effect.REFUSES, f"refused with {status}: {words}", str(policy.key), path)
    return Met(request, (step,), Answered(status, f"{policy.key}: {words}"))

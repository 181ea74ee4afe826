"""What attached policies do to a request, one function a kind. A kind without one is named, and said to apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from policy.attached import AttachedPolicy
from policy.explain.explanation import Effect, Step
from policy.explain.request import Request
from policy.retry_policy import RetryPolicy
from policy.shapes import format_duration


def policy_step(policy: AttachedPolicy, request: Request) -> Step:
    """What `policy`, which is effective for the request's rule, does to it."""
    tell = _BY_KIND.get(policy.KIND)
    effect, words = tell(policy, request) if tell is not None else (Effect.PASSES, "applies")
    return Step(policy.KIND, effect, words, str(policy.key))


def _retry(policy: RetryPolicy, _: Request) -> tuple[Effect, str]:
    return Effect.PASSES, "; ".join(_retry_words(policy))


def _retry_words(policy: RetryPolicy) -> Iterator[str]:
    spec = policy.spec
    if spec.retries:
        on = (
            ", ".join([*spec.retry_on, *(str(status) for status in spec.status_codes)])
            or "connection and gateway errors"
        )
        yield f"tried again after {on}" + (f", {spec.attempts} times at most" if spec.attempts is not None else "")
    if spec.per_try_timeout is not None:
        yield f"each try may take {format_duration(spec.per_try_timeout)}"
    if spec.budget is not None:
        yield f"at most {spec.budget.percent}% of the requests to this service may be retries"


_BY_KIND: dict[str, Callable[[Any, Request], tuple[Effect, str]]] = {RetryPolicy.KIND: _retry}

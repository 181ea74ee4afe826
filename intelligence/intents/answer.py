"""The answer to a sentence: what was understood, what it would change, what is asked back, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from intelligence.intents.risk import Grade, Risk
from intelligence.intents.understanding import Need, Understanding
from policy.plan import Plan
from registry.model import ServiceKey

NO_RISK = Risk(Grade.NONE, ())


@dataclass(frozen=True, slots=True)
class Answer:
    """One of four: a plan (`plan` with changes, or none if all is so already), needs, a refusal, or shown lines.

    understanding: None where nothing was understood. not_understood: the parts of the text that nothing fits.
    notes: what is to be known about the plan. shown: the answer to a question. touched: the services it is about.
    """

    sentence: str
    understanding: Understanding | None = None
    plan: Plan | None = None
    risk: Risk = NO_RISK
    needs: tuple[Need, ...] = ()
    refusal: str = ""
    not_understood: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    touched: tuple[ServiceKey, ...] = field(default=())

    @property
    def applicable(self) -> bool:
        """Whether it can be confirmed: there is a plan, and nothing is open."""
        return self.plan is not None and not self.needs and not self.refusal

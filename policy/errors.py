"""The errors of `policy`: what is wrong with a document, where, and what would be right.

PolicyError             a list of problems; callers show all of them at once
└── NotAdmittedError    what they compile to is refused by a real Envoy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong. `document` names it ("HTTPRoute default/pay", or "pay.yaml, document 2" before it has a
    name), `path` the field ("spec.rules[0].backendRefs[1].weight"), `got` and `want` are words for people."""

    document: str
    path: str
    got: str
    want: str

    def __str__(self) -> str:
        where = f"{self.document}: {self.path}" if self.path else self.document
        return f"{where}: got {self.got}, want {self.want}"


class PolicyError(Exception):
    """Documents that are refused. Nothing of them was applied."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("a PolicyError needs a problem")
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, *, document: str, path: str = "", got: str, want: str) -> PolicyError:
        return cls([Problem(document, path, got, want)])


class NotAdmittedError(PolicyError):
    """Documents that are valid by themselves, but compile to what a real Envoy refuses. Nothing of them was applied."""

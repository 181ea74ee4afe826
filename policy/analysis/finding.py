"""One thing worth a look."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.Enum):
    """ERROR: requests fail, or a document has become wrong. WARNING: probably not meant. INFO: may be meant."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        return (Severity.ERROR, Severity.WARNING, Severity.INFO).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """check: what found it, one word for programs. document, path: where. words: what is there. advice: what to do."""

    severity: Severity
    check: str
    document: str
    path: str
    words: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.document}: {self.path}" if self.path else self.document
        return f"{where}: {self.words}"

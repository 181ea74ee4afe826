"""When a client last accepted each resource. A log of names rather than a clock for each: a tenth of the memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

_ROOM = 16  # names noted since the log was compacted, at least


class AckTimes:
    """Of one type on one stream."""

    def __init__(self) -> None:
        self._log: list[tuple[datetime, tuple[str, ...]]] = []
        self._size = 0
        self._room = _ROOM

    def note(self, names: Iterable[str], at: datetime) -> None:
        """These were accepted now; what an earlier entry says of them is void."""
        entry = tuple(names)
        if not entry:
            return
        self._log.append((at, entry))
        self._size += len(entry)
        if self._size > self._room:
            self._compact()

    def times(self) -> Mapping[str, datetime]:
        """By name."""
        return {name: at for at, names in self._log for name in names}

    def _compact(self) -> None:
        """Keeps each name's last entry. The room is a share of what is kept, so that compacting costs a few times what
        noting does, and the log of what came since is never much beside it."""
        by_time: dict[datetime, list[str]] = {}
        for name, at in self.times().items():
            by_time.setdefault(at, []).append(name)
        self._log = [(at, tuple(names)) for at, names in sorted(by_time.items())]
        self._size = sum(len(names) for _, names in self._log)
        self._room = self._size + max(_ROOM, self._size // 8)

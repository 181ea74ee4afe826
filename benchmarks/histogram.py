"""Latencies as a load generator counts them, in buckets; those of several rounds as one, and percentiles of that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Histogram:
    """counts: by the ends of a bucket, in seconds; what lies in a bucket is spread evenly over it."""

    counts: Mapping[tuple[float, float], int]

    @classmethod
    def of_fortio(cls, exported: Mapping[str, Any]) -> Histogram:
        """Fortio's `DurationHistogram`: its first bucket begins with the least value, its last ends with the greatest.

        Raises:
            KeyError, TypeError: it is none.
        """
        buckets = exported.get("Data") or ()  # null where nothing was counted
        return cls({(float(item["Start"]), float(item["End"])): int(item["Count"]) for item in buckets})

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        """All that was counted in any of them. Buckets may differ: each spreads its own."""
        together: Counter[tuple[float, float]] = Counter()
        for part in parts:
            together.update(part.counts)
        return cls(dict(together))

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def most(self) -> float:
        """The greatest value, in seconds."""
        return max(end for _, end in self.counts)

    def above(self, value: float) -> float:
        """About how many lie above `value`, in seconds."""
        return sum(
            count * (1.0 if start >= value else (end - value) / (end - start))
            for (start, end), count in self.counts.items()
            if end > value
        )

    def percentile(self, share: float) -> float:
        """The value in seconds below which `share` (0 to 1) lie. Raises ValueError when nothing was counted."""
        return self.percentiles([share])[0]

    def percentiles(self, shares: Sequence[float]) -> list[float]:
        """Those of `shares`, which are ascending, in one pass over the buckets' edges.

        Raises:
            ValueError: nothing was counted.
        """
        if not self.counts:
            raise ValueError("percentiles of nothing: want a histogram with counts")
        rising: defaultdict[float, float] = defaultdict(float)  # by how much the density changes at an edge
        jumps: Counter[float] = Counter()  # buckets without a width: values that are known exactly
        for (start, end), count in self.counts.items():
            if end > start:
                density = count / (end - start)
                rising[start] += density
                rising[end] -= density
            else:
                jumps[start] += count
        found: list[float] = []
        total, below, density, previous = self.count, 0.0, 0.0, 0.0
        for edge in sorted({*rising, *jumps}):
            reached = below + density * (edge - previous)
            while len(found) < len(shares) and density > 0 and shares[len(found)] * total <= reached:
                found.append(previous + (shares[len(found)] * total - below) / density)
            below, previous = reached + jumps[edge], edge
            density = max(density + rising[edge], 0.0)
            while len(found) < len(shares) and jumps[edge] and shares[len(found)] * total <= below:
                found.append(edge)
        return found + [previous] * (len(shares) - len(found))  # what rounding left over

"""How often Python looks for garbage, in a process that serves many streams."""

from __future__ import annotations

import gc

_THRESHOLDS = (10_000, 20, 20)


def collect_rarely() -> None:
    """To be called once, when a server process has started; it concerns the whole process.

    Python's collector looks through all that lives whenever that has grown by a quarter, and a fan-out makes a thousand
    streams grow a little. With the collector off, a fan-out cost a fifth less; each full collection was a pause of 0.2
    to 0.4 s (1,000 streams, a busy machine). These thresholds gain less than that: docs/decisions/0032. What is there
    at the start is never garbage, so it is left out from now on, and the rest is looked at less often. A stream that
    has ended leaves nothing for the collector to find (`tests/peer/test_garbage.py`), so nothing piles up meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)

"""How long does it take to encode a large mesh, and to change one endpoint? `python -m benchmarks.fanout.encoding N`

In a process of its own, so that all is cold: the encoders are compiled within the measured time. Prints one line of
JSON.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.fanout.content import all_of, endpoints
from xds.resource import Resource
from xds.snapshot import Snapshot

_CHANGES = 200


def main() -> None:
    services = int(sys.argv[1])
    start = time.perf_counter()
    messages = all_of(range(services))
    built = time.perf_counter()
    snapshot = Snapshot.of(Resource.of(message) for message in messages)
    encoded = time.perf_counter()
    changes_ms = []
    for number in range(1, _CHANGES + 1):
        changed = endpoints(number % services, number)
        start_of_change = time.perf_counter()
        snapshot = snapshot.replace(put=[Resource.of(changed)])
        changes_ms.append((time.perf_counter() - start_of_change) * 1e3)
    print(json.dumps({"build_s": built - start, "encode_s": encoded - built, "changes_ms": changes_ms}))


if __name__ == "__main__":
    main()

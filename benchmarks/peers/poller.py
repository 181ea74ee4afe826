"""The client: asks an Envoy over and over, on one connection, and says when the answer became another one.
`python -m benchmarks.peers.poller PORT`

A process of its own, so that what the harness does meanwhile delays no reading. It reads one JSON command a line and
answers each by one line. Times are of CLOCK_MONOTONIC, in nanoseconds.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable
from typing import Any

_PAUSE = 0.0002  # seconds between two requests: the resolution, and half of a core left to those that are measured


def main() -> None:
    poller = _Poller(int(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(getattr(poller, f"do_{command.pop('do')}")(**command)), flush=True)


class _Poller:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def do_location(self, *, location: str, seconds: float) -> dict[str, Any]:
        """Asks until the answer redirects to `location`."""
        return self._until("poll.example.com", "/", lambda _, found: found.endswith(location), seconds)

    def do_status(self, *, host: str, path: str, status: int, seconds: float) -> dict[str, Any]:
        """Asks until the answer has `status`."""
        return self._until(host, path, lambda found, _: found == status, seconds)

    def _until(self, host: str, path: str, wanted: Callable[[int, str], bool], seconds: float) -> dict[str, Any]:
        """When the wanted answer was there, and how many requests it took; or the last answer, when there was none."""
        deadline = time.monotonic() + seconds
        asked, answer = 0, (0, "")
        while time.monotonic() < deadline:
            asked += 1
            answer = self._ask(host, path)
            if wanted(*answer):
                return {"at_ns": time.monotonic_ns(), "asked": asked}
            time.sleep(_PAUSE)
        return {"last": answer, "asked": asked}

    def _ask(self, host: str, path: str) -> tuple[int, str]:
        """Status and location; (0, "") where there is no answer: a listener that is replaced, or not there yet."""
        try:
            self._connection.request("GET", path, headers={"Host": host})
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, ""
        return response.status, response.headers.get("location", "")


if __name__ == "__main__":
    main()

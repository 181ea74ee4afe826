"""Fortio, the load generator of all figures about requests: found or built, run, and read.

At a constant rate, each of the connections has its own timetable, and all together they are spread evenly (`-uniform`).
A connection whose answer is late skips the turns that it missed (`-nocatchup`) instead of hurrying after them. Those
turns are requests that nobody sent and whose wait nobody measured: coordinated omission. They are counted, and with
many connections there are next to none: of 50 at 1,000 requests a second, each has 50 ms for an answer.
"""

from __future__ import annotations

import asyncio
import enum
import json
import re
import resource
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import tools
from benchmarks.histogram import Histogram
from benchmarks.processes import pinned
from controlplane.child import spawn

MODULE, VERSION = "fortio.org/fortio", "v1.68.0"
HOW = f"`go install {MODULE}@{VERSION}` gives it, wherever Go is on PATH; $GOBIN has to be on PATH, too"
RESOLUTION = 1e-5
"""Of the lowest buckets, in seconds: wider ones follow, of about a tenth of the value."""

_OVERTIME = 30.0  # seconds beyond what was asked for, until a run is given up
_DONE = re.compile(r"^\{", re.MULTILINE)


class Speaks(enum.Enum):
    """What the client speaks."""

    HTTP1 = "HTTP/1.1"
    HTTP2 = "HTTP/2"
    GRPC = "gRPC"


_FLAGS = {Speaks.HTTP1: (), Speaks.HTTP2: ("-h2",), Speaks.GRPC: ("-grpc", "-ping")}


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: "HOST:PORT", by the name `host`, for `path` (gRPC: Fortio's Ping), with `headers`."""

    address: str
    speaks: Speaks
    host: str | None = None
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to.

    requests: those with an answer, wrong ones included. errors: those with a wrong one, or none.
    skipped: turns that a connection missed because its last answer was late; 0 at the greatest rate, where there are
        no turns.
    client_cpu: seconds of CPU time that the client took.
    """

    requests: int
    errors: int
    skipped: int
    seconds: float
    latencies: Histogram
    client_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Fortio:
    """The program."""

    def __init__(self, program: Path) -> None:
        self.program = program

    @classmethod
    async def found(cls) -> Fortio | str:
        """The one on PATH or in the cache, or one that is built now; or why there is none and how to get it."""
        if (on_path := shutil.which("fortio")) is not None:
            return cls(Path(on_path))
        program = tools.folder() / "fortio"
        if not program.exists():
            program.parent.mkdir(parents=True, exist_ok=True)
            failure = await tools.go("install", f"{MODULE}@{VERSION}", environment={"GOBIN": str(program.parent)})
            if failure is not None:
                return f"Fortio is missing: {failure}; {HOW}"
        return cls(program)

    def server(self, *, http_port: int, grpc_port: int) -> list[str]:
        """The command of Fortio's own server on loopback. It keeps idle connections: a proxy's pool waits while others
        are measured."""
        off = [word for part in ("tcp", "udp", "redirect") for word in (f"-{part}-port", "disabled")]
        ports = ("-http-port", f"127.0.0.1:{http_port}", "-grpc-port", f"127.0.0.1:{grpc_port}")
        quiet = ("-loglevel", "Warning", "-server-idle-timeout", "2h", "-config-dir", "", "-ui-path", "")
        return [str(self.program), "server", *ports, *off, *quiet]

    async def load(
        self,
        target: Target,
        *,
        seconds: float,
        connections: int,
        rate: float | None,
        core: int | None = None,
    ) -> Run:
        """Asks `rate` times a second (None: as often as it can), by `connections` connections.

        Raises:
            RuntimeError: Fortio did not come to a result; with its last words.
        """
        command = [*self._command(target, connections=connections, rate=rate), "-t", f"{seconds:g}s", _address(target)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = await spawn(pinned(command, core), output=asyncio.subprocess.PIPE, errors=asyncio.subprocess.PIPE)
        try:
            output, words = await asyncio.wait_for(process.communicate(), seconds + _OVERTIME)
        except TimeoutError:
            raise RuntimeError(f"fortio has not ended {_OVERTIME:g} s after its {seconds:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # of children that have ended: this one
        said = output.decode(errors="replace")
        begin = _DONE.search(said)
        if process.returncode or begin is None:
            last = words.decode(errors="replace").strip().splitlines() or ["without a word"]
            raise RuntimeError(f"fortio ended with status {process.returncode}: {last[-1]}")
        planned = None if rate is None else int(rate * seconds) // connections * connections  # as Fortio rounds
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return replace(result(json.loads(said[begin.start() :]), planned=planned), client_cpu=cpu)

    def _command(self, target: Target, *, connections: int, rate: float | None) -> list[str]:
        command = [str(self.program), "load", "-quiet", "-json", "-", "-labels", "apg", "-r", f"{RESOLUTION:.6f}"]
        command += ["-c", str(connections), "-allow-initial-errors", *_FLAGS[target.speaks]]
        command += ["-qps", "0"] if rate is None else ["-qps", f"{rate:g}", "-uniform", "-nocatchup"]
        named = {"host": target.host} if target.host is not None else {}
        return command + [
            word for name, value in {**named, **target.headers}.items() for word in ("-H", f"{name}:{value}")
        ]


def _address(target: Target) -> str:
    return target.address if target.speaks is Speaks.GRPC else f"http://{target.address}{target.path}"


def result(exported: dict[str, Any], *, planned: int | None) -> Run:
    """From Fortio's JSON."""
    latencies = Histogram.of_fortio(exported["DurationHistogram"])
    requests = int(exported["DurationHistogram"]["Count"])
    return Run(
        requests=requests,
        errors=int((exported.get("ErrorsDurationHistogram") or {}).get("Count", 0)),
        skipped=0 if planned is None else max(0, planned - requests),
        seconds=exported["ActualDuration"] / 1e9,
        latencies=latencies,
    )


def together(runs: Sequence[Run]) -> Histogram:
    """The latencies of all runs."""
    return Histogram.merged(run.latencies for run in runs)

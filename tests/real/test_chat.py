"""`apg chat` at a terminal: talk, completion, history, typed names."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

import pytest

from tests.commands import apg_async, apg_up, environment
from tests.meshes import documents, gateway, route

_DEADLINE = 60.0


class Terminal:
    """A person at `apg chat`: types, and waits for what is to appear."""

    def __init__(self, admin: str, history: Path) -> None:
        self._master, slave = pty.openpty()
        command = [sys.executable, "-m", "controlplane.cli.main", "--admin", admin, "chat"]
        variables = environment(APG_HISTORY=str(history), TERM="xterm", COLUMNS="200")
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=dict(variables))
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, words: str) -> str:
        """What appeared until `words` did, which are then used up."""
        end = time.monotonic() + _DEADLINE
        while words not in self.seen:
            assert time.monotonic() < end, f"no {words!r} in {self.seen[-2000:]!r}"
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._master, 65_536).decode(errors="replace")
                except OSError:  # the program has ended
                    assert words in self.seen, self.seen[-2000:]
        before, _, self.seen = self.seen.partition(words)
        return before


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[str]:
    async with apg_up(tmp_path) as addresses:
        address = addresses["admin"]
        for arguments in (
            ("service", "add", "payment"),
            ("endpoint", "add", "payment", "127.0.0.1:1", "--label", "version=v1"),
            ("endpoint", "add", "payment", "127.0.0.1:2", "--label", "version=v2"),
        ):
            assert (await apg_async("--admin", address, *arguments)).code == 0
        text = documents(gateway(18080), route("payment-v1")).encode()
        assert (await apg_async("--admin", address, "apply", "-f", "-", stdin=text)).code == 0
        yield address


def talk(admin: str, history: Path) -> None:
    with Terminal(admin, history) as person:
        person.wait_for("apg> ")
        person.type("route 20% of pay\t")  # completed from the names of the mesh
        person.wait_for("payment")
        person.type("traffic to v2\n")
        person.wait_for("20% to v2")
        person.wait_for("Apply it?")
        person.type("n\n")
        person.wait_for("nothing was changed")
        person.wait_for("apg> ")
        person.type("make it 30\n")
        person.wait_for("30% to v2")
        person.wait_for("Apply it?")
        person.type("y\n")
        person.wait_for("applied: revision")
        person.wait_for("apg> ")
        person.type("block all traffic to it\n")
        person.wait_for("risk high")
        person.wait_for('Type "payment"')
        person.type("y\n")
        person.wait_for("nothing was changed")
        person.wait_for("apg> ")
        person.type("make everything faster\n")
        person.wait_for("not understood")
        person.wait_for("apg> ")
        person.type("exit\n")
        assert person.process.wait(_DEADLINE) == 0
    kept = history.read_text().splitlines()
    assert "make it 30" in kept
    assert "y" not in kept, "answers to questions are no sentences"
    assert history.stat().st_mode & 0o077 == 0
    with Terminal(admin, history) as person:
        person.wait_for("apg> ")
        person.type("\x1b[A")  # arrow up
        person.wait_for("exit")
        person.type("\x15\x04")
        assert person.process.wait(_DEADLINE) == 0


async def test_a_person_talks_to_the_mesh(admin: str, tmp_path: Path) -> None:
    await asyncio.to_thread(talk, admin, tmp_path / "history")
    got = await apg_async("--admin", admin, "-o", "json", "get", "HTTPRoute", "payment")
    assert '"weight": 30' in got.out

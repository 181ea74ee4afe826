"""Programs in Go that benchmarks need: found, or built into a cache outside the working tree."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def folder() -> Path:
    """Where built programs are kept: $APG_TOOLS/bin, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("APG_TOOLS") or cache / "apg-mesh-tools") / "bin"


async def go(*arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str | None:
    """Runs `go`; None where it did, and else why not, in one line."""
    program = shutil.which("go")
    if program is None:
        return "no `go` on PATH"
    process = await asyncio.create_subprocess_exec(
        *(program, *arguments),
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode == 0:
        return None
    lines = output.decode(errors="replace").strip().splitlines() or ["without a word"]
    return f"`go {arguments[0]}` failed: {lines[-1]}"

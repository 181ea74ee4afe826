"""Builds the peer, where Go is: `benchmarks/peers/go-control-plane`, cached outside the working tree."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from pathlib import Path

_SOURCE = Path(__file__).parent.parent / "peers" / "go-control-plane"
_MODULE = re.compile(r"^\s*github\.com/envoyproxy/go-control-plane (v\S+)$", re.MULTILINE)


def name() -> str:
    """The peer's name and version, as in its go.mod."""
    found = _MODULE.search((_SOURCE / "go.mod").read_text(encoding="utf-8"))
    assert found is not None
    return f"go-control-plane {found[1]}"


async def build() -> Path | str:
    """The built program, or the reason why there is none."""
    if shutil.which("go") is None:
        return "no `go` on PATH"
    program = _tools() / f"go-control-plane-{_digest()}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(f".{os.getpid()}")
        process = await asyncio.create_subprocess_exec(
            *("go", "build", "-o", str(fresh), "."),
            cwd=_SOURCE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            return f"`go build` failed: {output.decode(errors='replace').strip().splitlines()[-1]}"
        fresh.rename(program)
    return program


def _digest() -> str:
    """Of all that it is built from."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(_SOURCE.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _tools() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("APG_TOOLS") or cache / "apg-mesh-tools") / "bin"

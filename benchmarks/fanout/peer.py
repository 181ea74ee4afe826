"""Builds the peer, where Go is: `benchmarks/peers/go-control-plane`, cached outside the working tree."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from benchmarks import tools

SOURCE = Path(__file__).parent.parent / "peers" / "go-control-plane"
_MODULE = re.compile(r"^\s*github\.com/envoyproxy/go-control-plane (v\S+)$", re.MULTILINE)


def name() -> str:
    """The peer's name and version, as in its go.mod."""
    found = _MODULE.search((SOURCE / "go.mod").read_text(encoding="utf-8"))
    assert found is not None
    return f"go-control-plane {found[1]}"


async def build() -> Path | str:
    """The built program, or the reason why there is none."""
    program = tools.folder() / f"go-control-plane-{digest()}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(f".{os.getpid()}")
        if (failure := await tools.go("build", "-o", str(fresh), ".", cwd=SOURCE)) is not None:
            return failure
        fresh.rename(program)
    return program


def digest() -> str:
    """Of all that it is built from."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()

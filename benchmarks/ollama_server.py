"""A real Ollama with models of our own making: nothing is downloaded, nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from controlplane.ports import free_port

_DEADLINE = 60.0  # seconds


@contextlib.contextmanager
def serving(models: Mapping[str, Path], *, binary: str) -> Iterator[str]:
    """The URL of an Ollama with a home of its own. models: by name, the folder of each one's Modelfile."""
    with tempfile.TemporaryDirectory(prefix="apg-ollama-") as folder:
        home, host = Path(folder), f"127.0.0.1:{free_port()}"
        environment = {**os.environ, "HOME": folder, "OLLAMA_MODELS": f"{folder}/models", "OLLAMA_HOST": host}
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen([binary, "serve"], env=environment, stdout=log, stderr=log) as server,
        ):
            try:
                _wait(f"http://{host}/api/version", home / "log")
                for name, source in models.items():
                    create = [binary, "create", name, "-f", "Modelfile"]
                    made = subprocess.run(
                        create, cwd=source, env=environment, capture_output=True, text=True, check=False
                    )
                    assert made.returncode == 0, made.stderr
                yield f"http://{host}"
            finally:
                server.terminate()


def _wait(url: str, log: Path) -> None:
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Ollama did not answer at {url}: {log.read_text()[-500:]}")

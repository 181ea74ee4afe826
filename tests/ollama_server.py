"""A real Ollama with a model that it could not have downloaded: the test writes one (`tests.tiny_model`)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from controlplane.ports import free_port
from tests import tiny_model
from tests.parts import missing

MODEL = "tiny"
_DEADLINE = 60.0


def ollama_binary() -> str:
    """Ollama, or the end of the test that needs it."""
    found = os.environ.get("APG_OLLAMA") or shutil.which("ollama")
    if found is None:
        missing("Ollama", "`go install github.com/ollama/ollama@v0.9.6`, or name one with $APG_OLLAMA")
    return found


@contextlib.contextmanager
def running_ollama() -> Iterator[str]:
    """The URL of an Ollama that serves the model `tiny`, with a home of its own."""
    binary = ollama_binary()
    with tempfile.TemporaryDirectory(prefix="apg-ollama-") as folder:
        home, host = Path(folder), f"127.0.0.1:{free_port()}"
        environment = {**os.environ, "HOME": folder, "OLLAMA_MODELS": f"{folder}/models", "OLLAMA_HOST": host}
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen([binary, "serve"], env=environment, stdout=log, stderr=log) as server,
        ):
            try:
                _wait(f"http://{host}/api/version", home / "log")
                tiny_model.write(home / "tiny.gguf", seed=7)
                # Ollama's threads spin at barriers: two of them beside a busy second test took 60 s for what one
                # does in half a second.
                (home / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_thread 1\n")
                create = [binary, "create", MODEL, "-f", "Modelfile"]
                made = subprocess.run(create, cwd=home, env=environment, capture_output=True, text=True, check=False)
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

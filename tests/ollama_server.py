"""A real Ollama with a model that it could not have downloaded: the test writes one (`tests.tiny_model`)."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ollama_server import serving
from tests import tiny_model
from tests.parts import missing

MODEL = "tiny"


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
    with tempfile.TemporaryDirectory(prefix="apg-tiny-") as folder:
        tiny_model.write(Path(folder) / "tiny.gguf", seed=7)
        # Ollama's threads spin at barriers: two of them beside a busy second test took 60 s for what one
        # does in half a second.
        (Path(folder) / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_thread 1\n")
        with serving({MODEL: Path(folder)}, binary=binary) as host:
            yield host

"""Certificates for tests, made by the openssl command that every machine with TLS has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.parts import missing


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name`, and its key; both PEM."""
    if shutil.which("openssl") is None:
        missing("openssl", "install your system's package openssl")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key

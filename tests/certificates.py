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


_CURVE = "ec_paramgen_curve:prime256v1"


class Authority:
    """An authority that issues certificates."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate, self._key = certificate(folder, name)

    def issue(self, name: str, *, uri: str | None = None) -> tuple[Path, Path]:
        """A certificate for the host `name`, with `uri` (a SPIFFE ID) if it is given, and its key; both PEM."""
        cert, key, request = (self._folder / f"{name}.{ending}" for ending in ("crt", "key", "csr"))
        names = f"subjectAltName=DNS:{name}" + (f",URI:{uri}" if uri else "")
        _openssl(
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            _CURVE,
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            key,
            "-out",
            request,
        )
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(names)
        signing = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "2")
        _openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", cert)
        return cert, key

    def install(self, certificates: Path, identity: str, name: str) -> None:
        """Puts a certificate for the host `name` where a control plane looks for `identity`, "NAMESPACE/NAME"."""
        target = certificates / identity
        target.mkdir(parents=True, exist_ok=True)
        for source, place in zip(self.issue(name), ("tls.crt", "tls.key"), strict=True):
            fresh = target / f".{place}"
            fresh.write_bytes(source.read_bytes())
            fresh.replace(target / place)

    def install_trust(self, certificates: Path, identity: str) -> None:
        """Makes itself the authority that `identity` stands for."""
        target = certificates / identity
        target.mkdir(parents=True, exist_ok=True)
        (target / "ca.crt").write_bytes(self.certificate.read_bytes())


def install_workload(authority: Authority, certificates: Path, name: str, uri: str) -> None:
    """Puts a certificate with the SPIFFE ID `uri` where a control plane looks for that of `name`, and whom it trusts."""
    target = certificates / "default" / name
    target.mkdir(parents=True)
    for source, place in zip(authority.issue(name, uri=uri), ("tls.crt", "tls.key"), strict=True):
        (target / place).write_bytes(source.read_bytes())
    authority.install_trust(certificates, f"default/{name}")


def serial_number(certificate: Path) -> int:
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-serial"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(said.strip().removeprefix("serial="), 16)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

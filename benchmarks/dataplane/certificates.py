"""Certificates of one authority for the workloads of a benchmark, made by the `openssl` that machines with TLS have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = ("-days", "2")


def install(certificates: Path, names: Iterable[str]) -> None:
    """A key, a certificate and the authority for each service of `names`, where a control plane looks for them:
    NAMESPACE/NAME/{tls.key, tls.crt, ca.crt}. Keys are on P-256, as those of most meshes are.

    Raises:
        RuntimeError: there is no `openssl`.
    """
    if shutil.which("openssl") is None:
        raise RuntimeError("mutual TLS needs certificates: want `openssl` on PATH")
    certificates.mkdir(parents=True, exist_ok=True)
    authority, key = certificates / "authority.crt", certificates / "authority.key"
    subject = ("-subj", "/CN=benchmark", "-keyout", key, "-out", authority)
    _openssl("req", "-x509", *_CURVE, *_DAYS, *subject)
    for name in names:
        target = certificates / "default" / name
        target.mkdir(parents=True)
        request, extensions = certificates / "request.csr", certificates / "extensions"
        extensions.write_text(f"subjectAltName=DNS:{name},URI:spiffe://cluster.local/ns/default/sa/{name}")
        _openssl("req", "-new", *_CURVE, "-subj", f"/CN={name}", "-keyout", target / "tls.key", "-out", request)
        signing = ("-CA", authority, "-CAkey", key, "-CAcreateserial", *_DAYS, "-extfile", extensions)
        _openssl("x509", "-req", "-in", request, *signing, "-out", target / "tls.crt")
        (target / "ca.crt").write_bytes(authority.read_bytes())


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

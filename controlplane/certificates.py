"""Certificates from a folder: NAMESPACE/NAME/{tls.crt, tls.key, ca.crt}, as Kubernetes mounts its secrets.

What was good once is kept until something better is there: a file that is half written, does not fit its key or is gone
changes nothing but the log. `policy.identities` says what the names mean.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from policy.identities import CertificateChain, Identity, TrustBundle

_log = logging.getLogger("apg.certificates")

CHAIN, KEY, TRUST = "tls.crt", "tls.key", "ca.crt"
_MAX_FILE = 1 << 20  # bytes
_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What a file looked like when it was read."""

    modified: int
    size: int
    inode: int


class FileIdentities:
    """The identities of a folder, as of the last `reload`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._certificates: dict[Identity, CertificateChain] = {}
        self._trust: dict[Identity, TrustBundle] = {}
        self._stamps: dict[Path, _Stamp] = {}

    def certificate(self, identity: Identity) -> CertificateChain | None:
        return self._certificates.get(identity)

    def trust(self, identity: Identity) -> TrustBundle | None:
        return self._trust.get(identity)

    def reload(self) -> bool:
        """Reads what changed since the last time. Whether anything did for those who ask."""
        certificates, trusts = dict(self._certificates), dict(self._trust)
        for folder in sorted(self._folder.glob("*/*")):
            identity = Identity(folder.parent.name, folder.name)
            if self._is_new(folder / CHAIN, folder / KEY) and (certificate := _certificate(folder)) is not None:
                certificates[identity] = certificate
            if self._is_new(folder / TRUST) and (trust := _trust(folder / TRUST)) is not None:
                trusts[identity] = trust
        changed = (certificates, trusts) != (self._certificates, self._trust)
        self._certificates, self._trust = certificates, trusts
        return changed

    async def watch(self, changed: Callable[[], None]) -> None:
        """Reloads until cancelled, and calls `changed` whenever something did."""
        while True:
            await asyncio.sleep(_LOOK.total_seconds())
            if await asyncio.to_thread(self.reload):  # a folder may be large, and on a network
                changed()

    def _is_new(self, *paths: Path) -> bool:
        """Whether one of `paths`, which must all be there, is not as it was."""
        new = False
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                return False
            stamp = _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
            new |= self._stamps.get(path) != stamp
            self._stamps[path] = stamp
        return new


def _certificate(folder: Path) -> CertificateChain | None:
    try:
        chain, key = _read(folder / CHAIN), _read(folder / KEY)
        # Refuses what is no certificate, and a key that is another's.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / CHAIN, folder / KEY, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        _log.error("certificate=%s/%s not read, the last one is served on: %s", folder.parent.name, folder.name, error)
        return None
    return CertificateChain(chain, key)


def _trust(path: Path) -> TrustBundle | None:
    try:
        authorities = _read(path)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=authorities)
    except (OSError, ValueError) as error:
        _log.error("trust=%s not read, the last one is served on: %s", path, error)
        return None
    return TrustBundle(authorities)


def _no_password() -> str:
    raise ValueError("the key is encrypted: want one that is not")


def _read(path: Path) -> str:
    if path.stat().st_size > _MAX_FILE:
        raise ValueError(f"{path}: more than {_MAX_FILE} bytes")
    return path.read_text(encoding="ascii")

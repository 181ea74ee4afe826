"""How a proxy proves to the control plane who it is: its certificate and its trust, in files that Envoy follows.

The bootstrap that refers to them: `controlplane.bootstrap`. Who may be of which group: `controlplane.membership`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.errors import ProxyError

CERTIFICATE, TRUST = "certificate", "trust"
_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class XdsTls:
    """TLS for all that a proxy says to the control plane. Paths are absolute, and of PEM files but for `folder`.

    ca: whose certificates the control plane may have.
    server_name: a DNS name or an IP address that the control plane's certificate has to be for.
    certificate, key: the proxy's own, both or neither.
    folder: where `write` puts what Envoy finds the other files by (file-based SDS): one for each proxy.
    """

    ca: Path
    server_name: str
    folder: Path
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not self.server_name:
            raise ValueError("xds tls: server_name: got an empty text, want a DNS name or an IP address")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("xds tls: got one of certificate and key, want both or neither")
        for path in (self.ca, self.folder, self.certificate, self.key):
            if path is not None and not path.is_absolute():
                raise ValueError(f"xds tls: got {path}, want an absolute path: Envoy may run elsewhere")

    @property
    def san_type(self) -> str:
        """Envoy's `SubjectAltNameMatcher.SanType` of the server's name."""
        return "IP_ADDRESS" if _is_address(self.server_name) else "DNS"

    @property
    def sni(self) -> str:
        """What the server is asked for; "" for nothing: addresses are not sent (RFC 6066, section 3)."""
        return "" if _is_address(self.server_name) else self.server_name

    def path(self, secret: str) -> Path:
        """Where the file of the secret CERTIFICATE or TRUST is."""
        return self.folder / f"{secret}.json"

    def secrets(self) -> Mapping[str, str]:
        """Each secret's file, by its name: a DiscoveryResponse that names the PEM files. No key is in it."""
        # No watched_directory: without it Envoy watches the folder of each file, and certificate and key need not lie
        # in the same one. It reads them again when something is renamed into there (TlsCertificate.watched_directory).
        found = {TRUST: {"validation_context": {"trusted_ca": {"filename": str(self.ca)}}}}
        if self.certificate is not None:
            pair = {
                "certificate_chain": {"filename": str(self.certificate)},
                "private_key": {"filename": str(self.key)},
            }
            found[CERTIFICATE] = {"tls_certificate": pair}
        return {
            name: json.dumps({"resources": [{"@type": _TYPE, "name": name, **secret}]}, indent=2) + "\n"
            for name, secret in found.items()
        }

    def write(self) -> None:
        """Writes the secrets' files, each at once, so that an Envoy that follows them never reads half of one.

        Raises:
            ProxyError: the folder cannot be made or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, text in self.secrets().items():
                descriptor, fresh = tempfile.mkstemp(prefix=f".{name}-", dir=self.folder)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    os.fchmod(descriptor, 0o644)  # an Envoy of another user may read it: it has names of files alone
                    file.write(text)
                Path(fresh).replace(self.path(name))
        except OSError as error:
            raise ProxyError(f"the files that name the xDS certificates cannot be written: {error}") from error


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

"""Ports for Envoy's listeners, which have to be named in documents before Envoy listens on them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserve_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A free port of `host` that nobody else is given meanwhile.

    A socket is bound to it and never listens, so it gets no connections. Envoy may listen there all the same, because
    both set SO_REUSEPORT (Envoy: `Listener.enable_reuse_port`, on by default) and belong to one user.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, 0))
        yield held.getsockname()[1]

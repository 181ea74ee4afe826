"""One writer for a file: a lock beside it, which the operating system gives back however its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from registry.errors import StoreUnavailableError


class FileGuard:
    """Holds PATH.lock. The file stays when the lock is given back: removing it would let two processes hold two."""

    def __init__(self, path: Path) -> None:
        """Raises StoreUnavailableError if another process holds it, or the folder cannot be written."""
        lock = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailableError(f"{path}: {error.strerror}: want a file that can be written") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StoreUnavailableError(
                f"{path}: another control plane uses it: stop that one, or name another file (--state)"
            ) from error

    def release(self) -> None:
        os.close(self._descriptor)

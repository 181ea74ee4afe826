"""The errors of `registry`. None of them leaves anything half written.

RegistryError
├── ConflictError             the mesh is not what the change was made for
├── RevisionNotFoundError     there is no such revision
└── StoreUnavailableError     the file cannot be opened, read or written
"""

from __future__ import annotations


class RegistryError(Exception):
    """The root of this package's errors. Each message is one line for the operator."""


class ConflictError(RegistryError):
    """The mesh is not what the change was made for: somebody else was first."""


class RevisionNotFoundError(RegistryError):
    """There is no revision of that number; the message says which there are."""


class StoreUnavailableError(RegistryError):
    """The file cannot be opened, read or written."""

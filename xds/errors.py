"""The errors of `xds`.

XdsError
├── EncodeError        a message that cannot be encoded
├── SnapshotError      resources that do not fit together
├── UnsupportedError   a request for what this server does not do (UNIMPLEMENTED)
└── RequestError       a client that breaks the protocol; its stream ends with INVALID_ARGUMENT
    ├── DeniedError    a client that may not be of the group that it says (PERMISSION_DENIED)
    ├── LimitError     a request for more than this server gives (RESOURCE_EXHAUSTED)
    └── SilenceError   a client that opens a stream and asks for nothing; its stream ends with DEADLINE_EXCEEDED
"""

from __future__ import annotations


class XdsError(Exception):
    """The root of this package's errors."""


class EncodeError(XdsError):
    """A message holds a value that its field cannot carry. Names the message, the field and the value."""


class SnapshotError(XdsError):
    """A snapshot that would be inconsistent: two resources of one name, or a reference to what is not in it."""


class RequestError(XdsError):
    """A request that breaks the xDS protocol, in words for the client's operator."""


class DeniedError(RequestError):
    """A client that may not be served what it asks for, being who it is. Says what it might be served."""


class LimitError(RequestError):
    """A request for more than this server gives (`xds.bounds`). Names the bound."""


class SilenceError(RequestError):
    """A stream without its first request."""


class UnsupportedError(XdsError):
    """A request for what this server does not do. Says what it does instead."""

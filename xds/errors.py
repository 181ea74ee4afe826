"""The errors of `xds`.

XdsError
├── EncodeError        a message that cannot be encoded
├── SnapshotError      resources that do not fit together
└── RequestError       a client that breaks the protocol; its stream ends with INVALID_ARGUMENT
    ├── BoundError     a client that asks for more than the server gives; its stream ends with RESOURCE_EXHAUSTED
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


class BoundError(RequestError):
    """A request beyond a bound of this server (`xds.bounds`), in words for the client's operator."""


class SilenceError(RequestError):
    """A stream without its first request."""

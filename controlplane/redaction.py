"""Documents and Envoy resources without their secrets, for all that leaves the control plane but xDS."""

from __future__ import annotations

import json
from typing import Any

from policy.kinds import typed
from policy.secrets import SHOWN, mark_of
from registry.model import Document

_SECRET_SOURCES = frozenset({"generic_secret", "keys", "password", "private_key", "users"})
"""Fields of Envoy's that hold a `DataSource` with a secret, in its annotation (`udpa.annotations.sensitive`) or its
words: TLS keys and passwords, session ticket keys, generic secrets, and the users of basic_auth."""
_INLINE = frozenset({"inline_bytes", "inline_string"})


def shown_body(document: Document) -> str:
    """The document's JSON, with marks in place of secrets."""
    model = typed(document)
    return model.to_document(context=SHOWN).body if model.HAS_SECRETS else document.body


def shown_resource(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """An Envoy message as JSON values, in Envoy's field names, with marks in place of secrets."""
    return _shown(value, secret=False)


def _shown(value: Any, *, secret: bool) -> Any:  # noqa: ANN401
    match value:
        case dict():
            return {
                key: mark_of(json.dumps(item))
                if (secret and key in _INLINE) or (key == "key" and "client" in value)  # of api_key_auth
                else _shown(item, secret=key in _SECRET_SOURCES)
                for key, item in value.items()
            }
        case list():
            return [_shown(item, secret=secret) for item in value]
        case _:
            return value

"""Documents and Envoy resources as YAML, for people and their diffs: without their secrets."""

from __future__ import annotations

import importlib
import json
from typing import Any

import yaml
from betterproto2 import Casing, Message

from controlplane.redaction import shown_body, shown_resource
from controlplane.route_diff import differing, shortened
from registry.model import Document
from xds.resource import Resource
from xds.resource_types import ROUTE, SECRET, ResourceType


def document_yaml(document: Document | None) -> str:
    """A document in the field order that people write; "" for None."""
    if document is None:
        return ""
    body = json.loads(shown_body(document))
    first = {key: body[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in body}
    return _yaml({**first, **body})


def resource_yaml(resource: Resource | None) -> str:
    """An Envoy resource with the field names of Envoy's documentation; "" for None. Of a secret it says which one it
    is, and not what."""
    if resource is None:
        return ""
    if resource.type is SECRET:
        return _yaml({"name": resource.name, "content": f"not shown; version {resource.version}"})
    if resource.type is ROUTE:
        return _routes_yaml(resource.body)
    return _yaml(shown_resource(_message_class(resource.type).parse(resource.body).to_dict(casing=Casing.SNAKE)))


def resource_yamls(before: Resource | None, after: Resource | None) -> tuple[str, str]:
    """A resource before and after a change. Of two large route configurations, the routes that both have are left
    out."""
    if before is None or after is None or after.type is not ROUTE:
        return resource_yaml(before), resource_yaml(after)
    one, other = differing(before.body, after.body)
    return _routes_yaml(one), _routes_yaml(other)


def _routes_yaml(body: bytes) -> str:
    shown, left_out = shortened(body)
    text = _yaml(shown_resource(_message_class(ROUTE).parse(shown).to_dict(casing=Casing.SNAKE)))
    return text + (f"# and {left_out:,} more routes\n" if left_out else "")


def _message_class(type: ResourceType) -> type[Message]:
    module, name = type.message.split(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]  # named by our own table


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)

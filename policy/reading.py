"""From bytes to typed documents: all of a file, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from policy.errors import PolicyError, Problem
from policy.kinds import KINDS, PolicyDocument
from policy.problems import nearest, problems, shown
from policy.safe_yaml import load_all
from registry.model import DEFAULT_NAMESPACE, DocumentKey


def read_documents(text: bytes, *, source: str) -> tuple[PolicyDocument, ...]:
    """The documents in `text`, YAML (one or many) or JSON. `source` names it in errors: a file's name.

    Raises:
        PolicyError: with every problem of every document. Then none of them is to be used.
    """
    documents: list[PolicyDocument] = []
    found: list[Problem] = []
    places: dict[DocumentKey, int] = {}
    for number, value in load_all(text, source=source):
        try:
            document = _document(value, f"{source}, document {number}")
        except PolicyError as error:
            found.extend(error.problems)
            continue
        first = places.setdefault(document.key, number)
        if first != number:
            found.append(
                Problem(
                    str(document.key),
                    "metadata.name",
                    f"the same name in documents {first} and {number} of {source}",
                    "a name of its own, or one of the two",
                )
            )
        documents.append(document)
    if found:
        raise PolicyError(found)
    if not documents:
        raise PolicyError.of(document=source, got="no document", want="one at least")
    return tuple(documents)


def _document(value: object, place: str) -> PolicyDocument:
    if not isinstance(value, Mapping):
        raise PolicyError.of(
            document=place, got=shown(value), want="an object with apiVersion, kind, metadata and spec"
        )
    kind, version = value.get("kind"), value.get("apiVersion")
    kinds = sorted({known for _, known in KINDS})
    if not isinstance(kind, str) or kind not in kinds:
        got = shown(kind) if kind is not None else "nothing"
        hint = nearest(kind, kinds) if isinstance(kind, str) else ""
        raise PolicyError.of(document=place, path="kind", got=got, want=f"one of {', '.join(kinds)}{hint}")
    if (str(version), kind) not in KINDS:
        versions = sorted(known for known, other in KINDS if other == kind)
        got = shown(version) if version is not None else "nothing"
        raise PolicyError.of(document=_name(value, kind) or place, path="apiVersion", got=got, want=", ".join(versions))
    model = KINDS[str(version), kind]
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise PolicyError(sorted(problems(error, model, document=_name(value, kind) or place))) from None


def _name(value: Mapping[Any, Any], kind: str) -> str | None:
    """ "HTTPRoute default/pay", if the document says who it is."""
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace", DEFAULT_NAMESPACE)
    return f"{kind} {namespace}/{metadata['name']}" if isinstance(namespace, str) else None

"""From bytes to typed documents: all of a file, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from policy.errors import PolicyError, Problem
from policy.kinds import KINDS, PolicyDocument
from policy.problems import nearest, plain, problems, shown
from policy.safe_yaml import compose_all
from policy.shapes import MAX_LABEL, MAX_NAME
from policy.yaml_values import value_of
from registry.model import DEFAULT_NAMESPACE, DocumentKey


def read_documents(text: bytes, *, source: str) -> tuple[PolicyDocument, ...]:
    """The documents in `text`, YAML (one or many) or JSON. `source` names it in errors: a file's name.

    Raises:
        PolicyError: with every problem of every document. Then none of them is to be used.
    """
    documents: dict[DocumentKey, tuple[str, PolicyDocument]] = {}
    found: list[Problem] = []
    try:
        for place, root in compose_all(text, source=source):
            try:
                value = value_of(root, name=place)
                if value is None:
                    continue
                document = _document(value, place)
            except PolicyError as error:
                found.extend(error.problems)
                continue
            first, _ = documents.setdefault(document.key, (place, document))
            if first != place:
                numbers = f"{first.rpartition(' ')[2]} and {place.rpartition(' ')[2]}"
                got = f"the same name in documents {numbers} of {source}"
                found.append(Problem(str(document.key), "metadata.name", got, "a name of its own, or one of the two"))
    except PolicyError as error:  # of the file itself: nothing after that place can be read
        found.extend(error.problems)
    if found:
        raise PolicyError(found)
    if not documents:
        raise PolicyError.of(document=source, got="no document", want="one at least")
    return tuple(document for _, document in documents.values())


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
        # A document that was shown is a document that can be applied: its status is the server's to say.
        return model.model_validate({name: part for name, part in value.items() if name != "status"})
    except ValidationError as error:
        raise PolicyError(sorted(problems(error, model, document=_name(value, kind) or place))) from None


def _name(value: Mapping[Any, Any], kind: str) -> str | None:
    """ "HTTPRoute default/pay", if the document says who it is."""
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace", DEFAULT_NAMESPACE)
    if not isinstance(namespace, str):
        return None
    # They are repeated with every problem, and may not be names at all.
    return f"{kind} {plain(namespace, limit=MAX_LABEL)}/{plain(metadata['name'], limit=MAX_NAME)}"

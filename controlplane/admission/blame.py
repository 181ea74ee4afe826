"""From Envoy's words on a resource to problems with the documents that it came from. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from controlplane.admission.refusal import Refusal
from policy.compiler.names import route_source
from policy.errors import Problem
from policy.problems import Location, path, plain
from registry.mesh import Mesh
from registry.model import Document, DocumentKey, ItemKey

_WANT = "what Envoy accepts"
_WORDS = 400  # characters of Envoy's words that are shown
_TELLING = 3  # characters that a value needs before finding it in Envoy's words means anything


def problems(refusals: Iterable[Refusal], mesh: Mesh, *, changed: Collection[ItemKey]) -> list[Problem]:
    """What is wrong, once each. `changed`: what was asked for, which is to blame rather than what stood before."""
    return list(dict.fromkeys(problem for refusal in refusals for problem in _of(refusal, mesh, changed)))


def _of(refusal: Refusal, mesh: Mesh, changed: Collection[ItemKey]) -> Iterator[Problem]:
    words = plain(refusal.words, limit=_WORDS)
    resources = " and ".join(str(resource.key) for resource in refusal.resources)
    source = route_source(refusal.route) if refusal.route is not None else None
    if source is not None:
        document, rule, match = source
        within = ("spec", "rules", rule)
        where = _mentioned(mesh.documents.get(document), refusal.words, within=within)
        yield _problem(str(document), where or (*within, "matches", match), words, resources)
        return
    origins = list(dict.fromkeys(origin for resource in refusal.resources for origin in resource.origin))
    asked_for = {str(key) for key in changed}
    to_blame = [origin for origin in origins if origin in asked_for] or origins or [resources]
    by_text = {str(key): key for key in mesh.documents}
    for origin in to_blame:
        where = _mentioned(_document(mesh, by_text.get(origin)), refusal.words)
        if where is not None:
            yield _problem(origin, where, words, resources)
            return
    place = f"{resources}, {refusal.route}" if refusal.route else resources
    yield _problem(", ".join(to_blame), (), words, place)


def _document(mesh: Mesh, key: DocumentKey | None) -> Document | None:
    return mesh.documents.get(key) if key is not None else None


def _problem(document: str, where: Location, words: str, resource: str) -> Problem:
    return Problem(document, path(where), f'what a real Envoy refuses ({resource}): "{words}"', _WANT)


def _mentioned(document: Document | None, words: str, *, within: Location = ()) -> Location | None:
    """The place of the longest value of `document` that Envoy's words mention, if they mention one."""
    if document is None:
        return None
    tail = words.rpartition(": ")[2].strip()  # "invalid perl operator: (?=" tells a part of the value
    best: tuple[int, Location] | None = None
    for place, leaf in _leaves(json.loads(document.body), ()):
        text = leaf if isinstance(leaf, str) else json.dumps(leaf)
        shared = len(text) if text in words else len(tail) if tail in text else 0
        if place[: len(within)] == within and shared >= _TELLING and (best is None or shared > best[0]):
            best = (shared, place)
    return best[1] if best is not None else None


def _leaves(value: Any, place: Location) -> Iterator[tuple[Location, Any]]:  # noqa: ANN401  # whatever JSON holds
    match value:
        case dict():
            for name, item in value.items():
                if not (place == () and name in ("apiVersion", "kind", "metadata")):
                    yield from _leaves(item, (*place, name))
        case list():
            for index, item in enumerate(value):
                yield from _leaves(item, (*place, index))
        case _:
            yield place, value

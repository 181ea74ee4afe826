"""Lists of addresses that come from outside of the documents, as a threat feed does: rules name them, and a compiler is
given what is in them. What stands behind the interface is not known here; `policy` only asks, and gets values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from registry.mesh import Mesh
from registry.model import Change, Document, DocumentKey

KIND = "AuthorizationPolicy"
_NAMED, _FILLED = '"addressLists"', "listedAddresses"
NOBODY = "0.0.0.0/32"
"""An address that no client has: what a list that nobody has seen yet stands for."""


class AddressLists(Protocol):
    """Answers at once, from what it knows already, and the same until it says that something changed."""

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """The ranges on the list, sorted; None if there is no such list."""


class NoAddressLists:
    """A mesh without lists."""

    def addresses(self, name: str) -> tuple[str, ...] | None:
        return None


class Filling:
    """Puts the addresses of the lists into the policies that name them, and looks only at what changed."""

    def __init__(self, lists: AddressLists) -> None:
        self._lists = lists
        self._last: Mesh | None = None
        self._naming: frozenset[DocumentKey] = frozenset()
        self._filled: dict[DocumentKey, Document] = {}

    def filled(self, mesh: Mesh) -> Mesh:
        """`mesh` as it is compiled. A list that is not there matches nobody."""
        changed = mesh.changed_since(self._last) if self._last is not None else None
        if changed is None:
            self._naming = frozenset(key for key, document in mesh.documents.items() if _names_lists(document))
        elif changed:
            candidates = {key for key in changed if isinstance(key, DocumentKey)}
            found = {key for key in candidates if key in mesh.documents and _names_lists(mesh.documents[key])}
            self._naming = self._naming - candidates | found
        self._last = mesh
        before, self._filled = self._filled, {key: self._fill(mesh.documents[key]) for key in sorted(self._naming)}
        if not self._naming:
            return mesh
        if self._filled == before:  # then nothing differs from the last one but what differs in `mesh`
            return replace(mesh, documents=MappingProxyType({**mesh.documents, **self._filled}))
        return mesh.after(Change(mesh.documents[key], document) for key, document in self._filled.items())

    def _fill(self, document: Document) -> Document:
        body = json.loads(document.body)
        for part in _parts(body):
            known = [self._lists.addresses(name) or () for name in part["addressLists"]]
            part[_FILLED] = sorted({address for each in known for address in each}) or [NOBODY]
        return Document(*document.key, json.dumps(body, separators=(",", ":"), sort_keys=True))


def _names_lists(document: Document) -> bool:
    return document.kind == KIND and _NAMED in document.body


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The conditions with lists, those of exceptions included."""
    for rule in body["spec"].get("rules", ()):
        for part in (rule, rule.get("unless")):
            if part and part.get("addressLists"):
                yield part

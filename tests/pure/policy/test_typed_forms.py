"""How long the typed forms of stored documents are kept."""

from __future__ import annotations

import gc
import weakref

from policy.kinds import typed
from policy.reading import read_documents
from registry.model import Document
from tests.meshes import route


def _stored(number: int) -> Document:
    [document] = read_documents(route("payment", name=f"route-{number}").encode(), source="test")
    return document.to_document()


def test_a_document_has_one_typed_form_for_as_long_as_it_is_there() -> None:
    document = _stored(1)
    assert typed(document) is typed(_stored(1))


def test_the_forms_of_documents_that_are_gone_are_gone() -> None:
    document = _stored(2)
    form = weakref.ref(typed(document))
    assert form() is not None
    del document
    gc.collect()
    assert form() is None

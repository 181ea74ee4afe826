"""The examples in docs/policies: each page's YAML blocks, on top of the mesh that docs/policies/README.md shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from policy.identities import CertificateChain, Identity, TrustBundle
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Protocol, Service, labels

FOLDER = Path(__file__).parents[1] / "docs" / "policies"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A YAML block of a page: documents that apply as they stand there."""

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def examples() -> Iterator[Example]:
    """All of them. Blocks of other languages, or without one, are no examples."""
    for page in sorted(FOLDER.glob("*.md")):
        for number, text in enumerate(_BLOCK.findall(page.read_text()), start=1):
            yield Example(page.stem, number, text)


class AllIdentities:
    """Has a certificate and a trust bundle for every name. Envoy asks for them by SDS, so none is looked at here."""

    def certificate(self, identity: Identity) -> CertificateChain:
        return CertificateChain(f"certificate of {identity}", f"key of {identity}")

    def trust(self, identity: Identity) -> TrustBundle:
        return TrustBundle(f"authorities of {identity}")


def mesh_of_examples() -> Mesh:
    """The mesh of docs/policies/README.md: its services, and the documents of its first block."""
    items: list[Item] = [
        Service("default", "payment", 8080),
        Service("default", "cart", 8080),
        Service("default", "checkout", 9090, Protocol.HTTP2),
        Service("default", "auth", 9000, Protocol.HTTP2),
    ]
    for number, item in enumerate(list(items), start=1):
        assert isinstance(item, Service)
        items += [
            Endpoint("default", item.name, f"10.0.{number}.{instance}", item.port, labels({"version": f"v{instance}"}))
            for instance in (1, 2)
        ]
    first = next(example for example in examples() if example.page == "README")
    return with_documents(Mesh().after(Change(None, item) for item in items), first.text)


def with_documents(mesh: Mesh, text: str) -> Mesh:
    """`mesh` after the documents in `text` were applied."""
    documents = [document.to_document() for document in read_documents(text.encode(), source="example")]
    return mesh.after(Change(mesh.documents.get(document.key), document) for document in documents)

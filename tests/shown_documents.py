"""All documents that people are shown: in the docs, the demo and the helpers of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.meshes import gateway, route

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(?:yaml|yml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A file of documents, and where it stands."""

    place: str
    text: str


def examples() -> Iterator[Example]:
    """Every example that holds documents; those that are shown as wrong are left out."""
    yield Example("tests/meshes.py: gateway", gateway(8080))
    yield Example("tests/meshes.py: route", route("payment-v1=9", "payment-v2=1"))
    yield Example(
        "controlplane/demo/mesh.yaml", (ROOT / "controlplane/demo/mesh.yaml").read_text().replace("${port}", "8080")
    )
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        text = page.read_text()
        found = [match[1] for match in _FENCE.finditer(text)] + [match[2] for match in _HERE_DOCUMENT.finditer(text)]
        for number, body in enumerate(found, start=1):
            if re.search(r"^kind:", body, re.MULTILINE) and "apiVersion:" in body:
                yield Example(f"{page.relative_to(ROOT)}, example {number}", body)

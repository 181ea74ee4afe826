"""The sentences of tests/data/intents, and the mesh that they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service, labels

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "intents"
ASK, REFUSE = "ASK", "REFUSE"


@dataclass(frozen=True, slots=True)
class Sentence:
    """expected: intents as `intelligence.intents.intents.code` writes them, "; " between; or ASK, or REFUSE.

    part: the file's name: "development", "frozen", "languages". language: of the words.
    """

    part: str
    language: str
    expected: str
    text: str

    @property
    def is_plan(self) -> bool:
        return self.expected not in (ASK, REFUSE)


def sentences(part: str) -> Iterator[Sentence]:
    """Lines of EXPECTED, a tab, and the sentence; "# language: de" says of which language the following ones are."""
    language = "en"
    for line in (FOLDER / f"{part}.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("# language: "):
            language = line.removeprefix("# language: ").split()[0]
        if not line or line.startswith("#"):
            continue
        expected, tab, text = line.partition("\t")
        assert tab, f"{part}.tsv: {line[:60]!r}: want a tab between what is expected and the sentence"
        yield Sentence(part, language, expected, text.replace("\\n", "\n"))


def mesh_of_sentences() -> Mesh:
    """The services of mesh.yaml with one endpoint for each version."""
    items: list[Item] = []
    for name, versions in yaml.safe_load((FOLDER / "mesh.yaml").read_text()).items():
        items.append(Service("default", name))
        items += [
            Endpoint("default", name, f"10.0.{len(items)}.{number}", 80, labels({"version": version}))
            for number, version in enumerate(versions, start=1)
        ]
    return Mesh().after(Change(None, item) for item in items)

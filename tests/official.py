"""The official protobuf classes of Envoy's API, as a second opinion on our bytes.

They come with the wheel `xds-protos`, whose top-level packages `envoy` and `xds` clash with ours, so it gets an
interpreter and a temporary environment of its own.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.parts import missing

_PACKAGES = ("xds-protos==1.85.0", "protobuf>=6.33", "googleapis-common-protos")

# Reads one JSON object a line: a message's full name and its bytes. Writes what the official class makes of them.
_SCRIPT = """
import base64, importlib, json, pathlib, sys
from google.protobuf import descriptor_pool, message_factory, text_format, unknown_fields

def message_class(name):
    package = importlib.import_module(name.rpartition(".")[0])
    for folder in package.__path__:
        for path in pathlib.Path(folder).glob("*_pb2.py"):
            importlib.import_module(f"{package.__name__}.{path.stem}")
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))

def strays(message):
    # A declared field among the unknown ones was written with a wrong wire type.
    # An enum of a proto2 file is closed: a value that it does not name belongs there, whatever wrote it.
    declared = {
        number: field for number, field in message.DESCRIPTOR.fields_by_number.items()
        if field.enum_type is None or not field.enum_type.is_closed
    }
    unknown = unknown_fields.UnknownFieldSet(message)
    found = [f"{message.DESCRIPTOR.name}: {field.field_number}" for field in unknown if field.field_number in declared]
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            of_messages = field.message_type.fields_by_name["value"].message_type is not None
            children = value.values() if of_messages else ()
        else:
            children = [value] if hasattr(value, "ListFields") else value
        for child in children:
            found += strays(child)
    return found

for line in sys.stdin:
    request = json.loads(line)
    message = message_class(request["type"]).FromString(base64.b64decode(request["body"]))
    print(json.dumps({
        "canonical": base64.b64encode(message.SerializeToString(deterministic=True)).decode(),
        "strays": strays(message),
        "text": text_format.MessageToString(message, as_one_line=True),
    }))
"""


@dataclass(frozen=True)
class Reading:
    """What the official class read. strays: declared fields that it could not read; text: in text format."""

    canonical: bytes
    strays: list[str]
    text: str


@dataclass(frozen=True)
class OfficialClasses:
    python: Path

    def read(self, bodies: Iterable[tuple[str, bytes]]) -> list[Reading]:
        """Parses pairs of a message's full name and its bytes."""
        lines = [json.dumps({"type": name, "body": base64.b64encode(body).decode()}) for name, body in bodies]
        run = subprocess.run(
            [self.python, "-I", "-c", _SCRIPT], input="\n".join(lines), capture_output=True, text=True, timeout=120
        )
        assert run.returncode == 0, run.stderr
        answers = [json.loads(line) for line in run.stdout.splitlines()]
        return [Reading(base64.b64decode(each["canonical"]), each["strays"], each["text"]) for each in answers]

    def run(self, script: str, *arguments: str) -> str:
        """What a script of its own writes; it imports gRPC from our interpreter's packages, after the official ones."""
        ours = Path(grpc.__file__).parents[1]
        script = f"import sys; sys.path.append({str(ours)!r})\n{script}"
        run = subprocess.run([self.python, "-I", "-c", script, *arguments], capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stderr
        return run.stdout


def install(folder: Path) -> OfficialClasses:
    """The classes in an environment of their own in `folder`, or the end of the test that needs them."""
    venv.create(folder)
    command = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps", *_PACKAGES]
    install = subprocess.run(command, capture_output=True, text=True, timeout=150)
    if install.returncode != 0:
        missing(_PACKAGES[0], f"`pip install {_PACKAGES[0]}` has to reach a package index")
    return OfficialClasses(folder / "bin" / "python")

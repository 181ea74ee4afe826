"""Whether the generated code in protos/ is what `make proto` makes now. Exits 1, and says which files, if not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generated(root: Path) -> dict[str, bytes]:
    files = (path for path in (root / "protos").rglob("*") if path.name.endswith(SUFFIXES))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copy(ROOT / "Makefile", copy)
        for proto in (ROOT / "protos").rglob("*.proto"):
            target = copy / proto.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(proto, target)
        command = ["make", "--silent", "protoc", f"BIN={Path(sys.executable).parent}"]
        subprocess.run(command, cwd=copy, check=True)
        fresh, committed = generated(copy), generated(ROOT)
    drifted = sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))
    for name in drifted:
        print(f"{name}: differs from what its .proto makes: run `make proto`", file=sys.stderr)  # noqa: T201
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())

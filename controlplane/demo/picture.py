"""`python -m controlplane.demo.picture FILE.svg`: plays the demo and draws what a terminal shows of it."""

from __future__ import annotations

import asyncio
import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from controlplane.demo.story import run

_WIDTH = 104
_FETCHED = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)


def main(path: Path) -> None:
    """Writes the SVG. Raises what the demo raises."""
    console = Console(record=True, width=_WIDTH, file=StringIO(), force_terminal=True)
    asyncio.run(run(console=console))
    svg = console.export_svg(title="apg demo", unique_id="demo")
    path.write_text(_FETCHED.sub("", svg), encoding="utf-8")  # the reader's own monospace font: nothing is fetched


if __name__ == "__main__":
    main(Path(sys.argv[1]))

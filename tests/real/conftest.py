"""What a failed test's Envoys said: the ends of the logs in its temporary folder, in its report."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

_SHOWN_LINES = 40


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and isinstance(folder, Path):
        for log in sorted(folder.rglob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            report.sections.append((f"the end of {log.name}", "\n".join(lines[-_SHOWN_LINES:])))
    return report

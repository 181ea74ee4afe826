"""What tests of several folders share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.official import OfficialClasses, install

# How long an example takes says what else the machine is doing. All else stays as hypothesis has it here, or in CI.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> OfficialClasses:
    """Tests that use it belong to the xdist group "xds-protos", so that it is installed once."""
    return install(tmp_path_factory.mktemp("xds-protos"))

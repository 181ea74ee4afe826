"""What tests of several folders share."""

from __future__ import annotations

import pytest

from tests.official import OfficialClasses, install


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> OfficialClasses:
    """Tests that use it belong to the xdist group "xds-protos", so that it is installed once."""
    return install(tmp_path_factory.mktemp("xds-protos"))

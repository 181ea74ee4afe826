"""What all tests have in common: how long hypothesis lets an example take."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says what else the machine is doing. Everything else stays as hypothesis has it here, or in
# CI.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

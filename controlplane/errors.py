"""The errors of `controlplane`, beside those that it passes on from `policy`, `registry`, `intelligence` and `xds`.

ControlPlaneError
├── ConfigError         a setting that cannot be
├── NotConfirmedError   a destructive or wide plan whose name was not typed
├── NotFoundError       what was asked for does not exist
├── ProxyError          Envoy cannot be found, started or reached
└── StartError          the control plane cannot start: an address that is taken
"""

from __future__ import annotations


class ControlPlaneError(Exception):
    """The root of this package's errors. Each message is for the operator: where, what, and what would be right."""


class ConfigError(ControlPlaneError):
    """A setting that cannot be."""


class NotConfirmedError(ControlPlaneError):
    """A destructive or wide plan whose name was not typed; the message says the name."""


class NotFoundError(ControlPlaneError):
    """What was asked for does not exist; the message names what does."""


class ProxyError(ControlPlaneError):
    """Envoy cannot be found, started or reached."""


class StartError(ControlPlaneError):
    """The control plane cannot start."""

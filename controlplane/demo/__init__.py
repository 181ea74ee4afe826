"""The demo: its backends, its traffic and its story. Nothing in the control plane needs it."""

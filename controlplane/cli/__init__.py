"""`apg`, the command line: a client of the admin API, and the way to start a control plane, a proxy and the demo."""

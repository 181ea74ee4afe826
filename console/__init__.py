"""The web console: for now one read-only page of proxies, services and revisions."""

"""What exists and what was asked for, durably: services, endpoints, documents and the revisions that made them."""

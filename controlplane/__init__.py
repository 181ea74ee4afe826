"""The process: configuration, operations, the admin API, the reconciler and the command line."""

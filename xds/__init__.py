"""An xDS management server: a snapshot in, ADS streams out. Knows no service and no policy."""

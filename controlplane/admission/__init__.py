"""What a real Envoy says of compiled resources before they are published."""

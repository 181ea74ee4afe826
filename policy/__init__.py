"""What operators want: typed documents, their validation, and the compiler that turns them into Envoy resources."""

"""From a mesh to Envoy resources: pure, memoised, one builder file for each Envoy resource."""

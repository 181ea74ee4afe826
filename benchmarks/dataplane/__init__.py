"""What a request costs on its way: directly, through an Envoy with an expert's configuration, and through ours."""

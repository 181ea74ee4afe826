"""What a request costs on its way: directly, through an Envoy that an expert wrote the configuration of, and through ours."""

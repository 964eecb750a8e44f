"""Is everything well? Checks that each give reasons, put together to `healthy` or `unhealthy`."""

"""One worker process: its event loop, its open clients, its background work and its probes."""

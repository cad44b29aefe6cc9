"""A worker process: its event loop, clients, background work and probes."""

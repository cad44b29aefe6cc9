"""Ports for servers that start later than their port is chosen, or that are away for a while."""

import random

from ssc_ingest.embedded.ports import choose_port

BELOW_CONNECTIONS = range(15_000, 30_000)
"""Linux takes ports of outgoing connections from 32,768 on, so none of them takes one of these."""


def unused_port() -> int:
    """A free port that no outgoing connection takes by chance."""
    for port in random.sample(BELOW_CONNECTIONS, 100):
        if choose_port(port) == port:
            return port
    raise AssertionError(f"no free port among {BELOW_CONNECTIONS}")

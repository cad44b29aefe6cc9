"""``python -m ssc_ingest.health``: the public name of the containers' health check.

With ``--port`` it asks the monitoring endpoint of the worker in its container, at a tenth of the
CPU time; without, it reads the heartbeats in Redis.
"""

import argparse
import sys

from ssc_ingest.containers.probe import NotListening, problem


def main() -> None:
    """Exit with 0 if the process works, else with 1 and the reason."""
    parser = argparse.ArgumentParser(prog="python -m ssc_ingest.health", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=["worker", "beat"], default="worker")
    parser.add_argument("--port", type=int, help="of the worker's /startupz, in its container")
    arguments = parser.parse_args()
    if arguments.port is None:
        from ssc_ingest.monitoring.health import report  # noqa: PLC0415 - it costs 0.3 s

        report(arguments.kind)
        return
    try:
        reason = problem(arguments.port, "/startupz")
    except NotListening as error:
        reason = str(error)
    sys.exit(reason)


if __name__ == "__main__":
    main()

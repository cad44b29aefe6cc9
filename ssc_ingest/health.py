"""``python -m ssc_ingest.health``: the public name of the containers' health check."""

from ssc_ingest.monitoring.health import main

if __name__ == "__main__":
    main()

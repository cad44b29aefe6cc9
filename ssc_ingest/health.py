"""``python -m ssc_ingest.health``: the health check that containers call, under its public name."""

from ssc_ingest.monitoring.health import main

if __name__ == "__main__":
    main()

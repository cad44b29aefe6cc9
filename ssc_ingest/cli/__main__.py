"""``python -m ssc_ingest.cli``, for processes that start a command with their own interpreter."""

from ssc_ingest.cli import main

main()

"""The commands of ``ssc-ingest``: one module per command or group of commands."""

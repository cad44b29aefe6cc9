"""The commands of ``ssc-ingest``, one command or one group of commands a module."""

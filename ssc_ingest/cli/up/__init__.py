"""``ssc-ingest up``: the process tree of a whole stack on one machine."""

"""Runs: the reading of a whole registry, or of what has changed in it.

A run is durable. What it is and how far it has come is a record in Redis (:mod:`.records`); who
carries it out holds a lease on it (:mod:`.hold`), reads pages from the registry, compares them with
the graph (:mod:`.comparison`), publishes what is to be done (:mod:`.engine`) and waits for the
last package. Each package is a task of its own, whose end is counted in the record. Whoever
carries it out may be killed at any moment: the next one goes on with the page that was not
finished.
"""

"""Runs: the reading of a whole registry, or of what has changed in it.

A run is durable. Its record in Redis (:mod:`.store`) says what it is and how far it has come. The
worker that carries it out (:mod:`.engine`) holds a lease (:mod:`.lease`), reads pages
(:mod:`.pages`), compares them with the graph (:mod:`.comparison`), publishes a task for each
selected package (:mod:`.publisher`) and waits for the last one. The end of each package is counted
in the record. A worker may be killed at any moment: the next one continues with the unfinished
page. :mod:`.kinds` says in what runs differ, :mod:`.control` begins, pauses and cancels them.
"""

"""Runs: each reads a whole registry, its changes, or its stale packages.

A run is durable: its record in Redis (:mod:`.store`) has its position and counters. The worker that
executes it (:mod:`.engine`) holds a lease (:mod:`.lease`). It reads pages (:mod:`.pages`), compares
them with the graph (:mod:`.comparison`), publishes a task for each selected package
(:mod:`.publisher`) and waits for all of them. The record counts the outcome of each package. A
worker may be killed at any moment: the next one continues with the unfinished page. :mod:`.kinds`
defines the kinds of runs; :mod:`.control` starts, pauses, resumes and cancels them.
"""

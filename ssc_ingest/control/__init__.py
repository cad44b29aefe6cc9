"""Steering the fleet: schedules, registry pauses, recovery of lost work, replays, the cache."""

"""Control of the fleet: schedules, pauses of registries, recovery of lost work, replays, caches."""

"""Monitoring of the fleet: status, heartbeats, health checks and fleet-wide metrics."""

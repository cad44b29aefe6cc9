"""What the fleet says about itself: status, heartbeats, health checks and fleet-wide metrics."""

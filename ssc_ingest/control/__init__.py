"""What operators and the control worker steer the fleet with: schedules, pauses, recovery, replay."""

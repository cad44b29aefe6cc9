"""What runs beside a process in its container; standard library only, so that it starts at once."""

"""The stream on which other services request packages: reading it, and saying how it stands."""

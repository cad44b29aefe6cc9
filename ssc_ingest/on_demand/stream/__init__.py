"""The stream on which other services request packages: its reader and its status."""

"""Vulnerabilities: the MongoDB store that other services read (database ``vulnerabilities``)."""

"""Readers of package archives: zip by range requests, tar as a stream, nothing on disk."""

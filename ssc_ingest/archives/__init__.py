"""Readers of archives: entry by entry, in bounded memory; nothing is unpacked to disk."""

"""Helper programs of containers, which use only the standard library so that they start fast."""

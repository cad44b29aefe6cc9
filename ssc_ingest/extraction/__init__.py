"""Extracting one package: from the delivery of its task to the outcome that everybody is told."""

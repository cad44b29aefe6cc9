"""Importable names of packages: what a program writes to use them."""

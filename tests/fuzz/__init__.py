"""Hostile input of every kind, made by the million: `python -m tests.fuzz --help`."""

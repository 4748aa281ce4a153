"""Bytes to numbers: no I/O, no threads, no Textual, no DuckDB."""

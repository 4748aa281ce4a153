"""All DuckDB and all SQL."""

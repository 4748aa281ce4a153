"""A run put together: where records come from, engine, database, and the summary at the end."""

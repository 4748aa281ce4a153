"""The engine: one thread that lets records into the market and turns its clock.

`core` is what every engine does, `replay` plays saved files, `live` takes streams as they come.
"""

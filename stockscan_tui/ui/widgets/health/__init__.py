"""The health panel's parts: judgements, a grid of figures, and the line that explains one."""

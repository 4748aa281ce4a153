"""`stockscan doctor`: is everything there that a capture needs, and what to do where it is not."""

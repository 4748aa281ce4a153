"""stockscan: the whole US market in a terminal."""

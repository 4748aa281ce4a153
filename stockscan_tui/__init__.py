"""stockscan: the whole US market in a terminal."""

__version__ = "0.1.0"

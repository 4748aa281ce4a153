"""The parts of a screen, named after their place on it."""

"""The parts of the rules screen."""

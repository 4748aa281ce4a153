"""Where bytes come from: saved files, and the reference data that goes with them."""

"""A synthetic market, seeded: the demo, and the data of tests and benchmarks."""

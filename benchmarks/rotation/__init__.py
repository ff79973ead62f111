"""How many processes share one token pair while it is renewed: ``python -m benchmarks.rotation --help``."""

"""How one token pair holds up when many processes share it: ``python -m benchmarks.rotation --help``."""

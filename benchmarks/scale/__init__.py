"""What a large deployment takes, simulated from measured unit costs: ``python -m benchmarks.scale --help``."""

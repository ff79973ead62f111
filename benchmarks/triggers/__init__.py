"""What thousands of waiting triggers on one loop cost: ``python -m benchmarks.triggers --help``."""

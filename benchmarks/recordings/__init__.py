"""What landing recordings costs, beside the floor and beside others: ``python -m benchmarks.recordings --help``."""

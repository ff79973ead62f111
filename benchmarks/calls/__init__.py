"""What landing a call list costs, beside the floors and beside others: ``python -m benchmarks.calls --help``."""

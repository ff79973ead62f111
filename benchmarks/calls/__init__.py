"""What landing a call list costs, compared with the floors and with others: ``python -m benchmarks.calls --help``."""

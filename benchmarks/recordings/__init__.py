"""What landing recordings costs, compared with the floors and others: ``python -m benchmarks.recordings --help``."""

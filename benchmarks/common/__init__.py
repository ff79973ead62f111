"""What the benchmarks share: a fast server, a stopwatch, the environments of other packages, tables."""

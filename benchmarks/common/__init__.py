"""What the benchmarks of the data paths share: a fast server, a stop-watch, peers' environments, tables."""

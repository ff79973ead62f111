"""What `benchmarks.calls` and `benchmarks.recordings` measure: one program each, run in a process of its own."""

"""What is done with files that landed long ago: retention, and erasure by number."""

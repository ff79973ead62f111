"""What a DAG file pays for importing the operators and the sensor: ``python -m benchmarks.imports --help``."""

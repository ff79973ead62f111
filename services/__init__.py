"""Real services on the loopback, for the tests and the benchmarks: Redis, PostgreSQL, a whole Airflow."""

"""A day of calls into each warehouse, by its example DAG and by its own fastest way."""

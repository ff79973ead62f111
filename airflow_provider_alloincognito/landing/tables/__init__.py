"""Rows under a schema: given or inferred, read by Arrow or exactly, spooled where they are needed twice."""

"""Rows as tables: their schema, given or inferred; their values, read by Arrow or exactly; blocks kept on disk."""

"""Thousands of triggers on one loop."""

"""What the exit code of a command means, to scripts."""

OK = 0
"""All is well; there may be warnings."""
FAILED = 1
"""It failed: not found, not reachable, not accepted."""
WRONG_USAGE = 2
"""The command line is wrong."""
INCOMPLETE = 3
"""Something was found, but something that is needed is missing or stays unknown."""
INTERRUPTED = 130
"""Ctrl-C, as shells have it."""

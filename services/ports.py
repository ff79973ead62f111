"""Free ports of the loopback."""

from __future__ import annotations

import itertools
import os
import socket

# What is above, the kernel gives to outgoing connections at any time.
FIRST, LAST = 20000, 32767
_candidates = itertools.cycle(range(FIRST, LAST + 1))
# Another process that looks for ports at the same time begins elsewhere.
next(itertools.islice(_candidates, os.getpid() * 101 % (LAST - FIRST), None))


def free_port() -> int:
    """Return a port that nothing listens on, and that this process has not been given before."""
    for port in itertools.islice(_candidates, LAST - FIRST):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("No port from 20000 to 32767 is free.")

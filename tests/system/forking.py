"""Tasks in processes that can be killed, and the files that they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
START, END = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
KILLED = -signal.SIGKILL


class Worker:
    """The process that forks; see :mod:`forking_worker`."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        connection = sandbox.connection(pair_store="memory", retries=0)
        environment = {**os.environ, "AIRFLOW_HOME": str(home)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking_worker.py"))],
            env={**environment, "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": json.dumps(connection)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, operator: str, **arguments: Any) -> int:
        """Start a task in a new process, and return the process's id."""
        interval = {"data_interval_start": START.isoformat(), "data_interval_end": END.isoformat()}
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"operator": operator, "arguments": arguments, "interval": interval}) + "\n"
        )
        self._process.stdin.flush()
        return self._read()["pid"]

    def end(self) -> int:
        """Wait for the task's end, and return its exit code, or minus the number of the signal."""
        return self._read()["status"]

    def run(self, operator: str, **arguments: Any) -> int:
        self.start(operator, **arguments)
        return self.end()

    def kill_when(self, moment: Callable[[], bool], operator: str, **arguments: Any) -> None:
        """Start a task, and kill it as soon as ``moment()`` is true."""
        pid = self.start(operator, **arguments)
        until(moment)
        os.kill(pid, signal.SIGKILL)
        assert self.end() == KILLED, "the task ended before it could be killed"

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        read: dict[str, int] = json.loads(self._process.stdout.readline())
        return read


def until(moment: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not moment():
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.0005)


def is_responding(sandbox: Sandbox, method: str) -> bool:
    """Return whether a response has stalled, and the client has had time to read what came of it."""
    sent = [one for one in sandbox.requests if one.method == method and one.status]
    return bool(sent) and sent[-1].fault == "stall" and time.time() - sent[-1].time > 0.3


def hidden(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name.startswith(".")) if folder.exists() else []


def visible(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith(".")) if folder.exists() else []

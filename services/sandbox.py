"""The sandbox in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROGRAM = [sys.executable, "-m", "airflow_provider_alloincognito.sandbox"]


@dataclass(frozen=True)
class RunningSandbox:
    """
    The sandbox's address.

    :param pid: the process's id.
    :param authorization_token: the token that a user would make in the personal account.
    """

    url: str
    pid: int
    authorization_token: str = field(repr=False)

    @property
    def connection(self) -> str:
        """The Airflow Connection to it, as JSON."""
        # Airflow 3.3's test button fails if the port is empty.
        fields = {"conn_type": "alloincognito", "host": self.url, "port": urlsplit(self.url).port}
        return json.dumps({**fields, "password": self.authorization_token})


@contextmanager
def running_sandbox(settings: Mapping[str, Any]) -> Iterator[RunningSandbox]:
    """Run the sandbox on a free port of the loopback."""
    command = [*PROGRAM, *_arguments(settings), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("The sandbox did not start. Its error is above.")
            started = json.loads(line)
            yield RunningSandbox(started["url"], process.pid, started["authorization_token"])
        finally:
            process.terminate()


def dump_truth(settings: Mapping[str, Any], start: str, end: str, file: Path) -> None:
    """Write the calls of ``[start, end)``, straight from the generator: one JSON object a line."""
    subprocess.run([*PROGRAM, *_arguments(settings), "truth", start, end, str(file)], check=True, capture_output=True)


def _arguments(settings: Mapping[str, Any]) -> list[str]:
    return [argument for name, value in settings.items() for argument in ("--set", f"{name}={json.dumps(value)}")]

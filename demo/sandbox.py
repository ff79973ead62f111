"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "airflow_provider_alloincognito.sandbox"]


@dataclass(frozen=True)
class RunningSandbox:
    """
    How to reach it.

    :param url: its address.
    :param authorization_token: as made in the personal account.
    """

    url: str
    authorization_token: str = field(repr=False)


@contextmanager
def running_sandbox(knobs: Mapping[str, Any]) -> Iterator[RunningSandbox]:
    """Run it on a free port of the loopback."""
    process = subprocess.Popen([*PROGRAM, *_arguments(knobs), "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("The sandbox did not start; what it said stands above.")
        said = json.loads(line)
        yield RunningSandbox(said["url"], said["authorization_token"])
    finally:
        process.terminate()
        process.wait()


def dump_truth(knobs: Mapping[str, Any], start: str, end: str, file: Path) -> None:
    """Write the calls of ``[start, end)``, straight from the generator: one JSON object a line."""
    subprocess.run([*PROGRAM, *_arguments(knobs), "truth", start, end, str(file)], check=True, capture_output=True)


def _arguments(knobs: Mapping[str, Any]) -> list[str]:
    return [argument for name, value in knobs.items() for argument in ("--set", f"{name}={json.dumps(value)}")]

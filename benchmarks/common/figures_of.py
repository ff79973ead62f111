"""Run a contender in a process of its own, with an Airflow home and a Connection, and read the figures it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile


def figures_of(module: str, *arguments: object, connection: str) -> dict[str, float]:
    """
    Return what a module prints as JSON in its last line.

    :param module: the contender's, such as ``benchmarks.triggers.contender``.
    :param arguments: of its command line.
    :param connection: the Connection ``alloincognito_default``, as JSON.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        ran = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "AIRFLOW_HOME": home, "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": connection},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    figures: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return figures

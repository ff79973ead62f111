"""Run Airflow's own command line, the public way to change what its metadata database holds."""

from __future__ import annotations

import io
import sys
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from subprocess import CompletedProcess

_guard = threading.Lock()  # sys.argv and sys.stdout are the process's


def run_airflow(*arguments: str) -> CompletedProcess[str]:
    """
    Run the command ``airflow``, and return its exit code and what it printed.

    It runs in this process, which has imported most of Airflow already: that takes many times as long as the command.

    :param arguments: its arguments; never a secret.
    """
    (command,) = entry_points(group="console_scripts", name="airflow")
    stdout, stderr = io.StringIO(), io.StringIO()
    with _guard, redirect_stdout(stdout), redirect_stderr(stderr):
        before = sys.argv
        sys.argv = ["airflow", *arguments]
        try:
            command.load()()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            stderr.write(end.code if isinstance(end.code, str) else "")
        except Exception:  # noqa: BLE001 - a process of its own would print it, and end with 1
            code = 1
            traceback.print_exc(file=stderr)
        finally:
            sys.argv = before
    return CompletedProcess(["airflow", *arguments], code, stdout.getvalue(), stderr.getvalue())


def database_problem() -> str | None:
    """Return what is wrong with Airflow's metadata database, as a sentence or two; None if it can be used."""
    if run_airflow("db", "check-migrations", "--migration-wait-timeout", "0").returncode == 0:
        return None
    return (
        "Airflow's metadata database cannot be used from here: it is not initialized, or cannot be reached. Run "
        "'airflow db migrate' once, or check AIRFLOW_HOME and [database] sql_alchemy_conn."
    )

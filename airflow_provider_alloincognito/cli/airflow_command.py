"""Run Airflow's own command line, the public way to change what its metadata database holds."""

from __future__ import annotations

import subprocess
import sys

LONGEST = 120.0


def run_airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run ``airflow`` of this Python environment, and return its exit code and what it printed.

    :param arguments: its arguments; never a secret, since every user of the machine can read them.
    :raises subprocess.TimeoutExpired: if it takes longer than two minutes.
    """
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


def database_problem() -> str | None:
    """Return what is wrong with Airflow's metadata database, as a sentence or two; None if it can be used."""
    try:
        outcome = run_airflow("db", "check-migrations", "--migration-wait-timeout", "0")
    except subprocess.TimeoutExpired:
        return "Airflow's metadata database does not answer. Check [database] sql_alchemy_conn, and that it runs."
    if outcome.returncode == 0:
        return None
    return (
        "Airflow's metadata database cannot be used from here: it is not initialized, or cannot be reached. Run "
        "'airflow db migrate' once, or check AIRFLOW_HOME and [database] sql_alchemy_conn."
    )

"""``make up``: Airflow's UI and the sandbox, with a Connection to it and the example DAGs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from demo.place import REPOSITORY, Place
from services.sandbox import running_sandbox

SANDBOX = {"seed": "demo", "recording_bytes": [2_000, 20_000]}
DAYS_BACK = 3
START_TIMEOUT = 300.0


def main() -> int:
    """Start both, print their addresses, and stop both at the end."""
    place = Place(REPOSITORY / ".up")
    place.make()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    first_day = datetime.now(ZoneInfo("Europe/Moscow")).date() - timedelta(days=DAYS_BACK)
    port = _free_port(8080)
    environment = {**place.environment(first_day=first_day.isoformat()), **_standalone(port)}
    try:
        with running_sandbox(SANDBOX) as sandbox:
            print("Airflow is starting ...", flush=True)
            _prepare(environment, sandbox.connection)
            with _airflow(place, environment) as airflow:
                if not _wait_for(airflow, port):
                    print(f"Airflow did not start. Its log: {place.name(place.log)}")
                    return 1
                print(
                    f"\n  Airflow    http://127.0.0.1:{port}\n"
                    f"  sandbox    {sandbox.url}/docs\n\n"
                    "Switch on alloincognito_load_duckdb, then alloincognito_daily_calls: it catches up from "
                    f"{first_day}, and each day that lands is loaded.\n"
                    f"Files and table: {place.name(place.folder)}. Airflow's log: {place.name(place.log)}.\n"
                    "Ctrl-C stops everything.",
                    flush=True,
                )
                return airflow.wait()
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0


def _standalone(port: int) -> dict[str, str]:
    """Return settings: everything on the loopback, no password, and no port that another Airflow may use."""
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
    }


def _prepare(environment: Mapping[str, str], connection: str) -> None:
    """Create Airflow's database and store the Connection in it, so that the UI shows it."""
    program = (
        "import os; from airflow.utils.db import upgradedb; upgradedb()\n"
        "from airflow.models import Connection\n"
        "from airflow.utils.session import create_session\n"
        "new = Connection.from_json(os.environ['DEMO_CONNECTION'], conn_id='alloincognito_default')\n"
        "with create_session() as session:\n"
        "    session.query(Connection).filter_by(conn_id=new.conn_id).delete()\n"
        "    session.add(new)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "DEMO_CONNECTION": connection},
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _airflow(place: Place, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``airflow standalone`` as a process group, and stop all of the group at the end."""
    with place.log.open("wb") as log:
        airflow = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env={**environment, "PATH": os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield airflow
    finally:
        _stop(airflow)


def _stop(airflow: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(airflow.pid, number)
            airflow.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _wait_for(airflow: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while airflow.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    return False


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", wanted))
        except OSError:
            one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

"""
``alloincognito_stream`` under a real scheduler: a day of calls, played faster than they come, with late and corrected
ones, a triggerer that is killed again and again, and a server that is away for hours.

STREAM_HOURS=2 plays the end of the day: the watcher first catches up with the hours before. STREAM_SPEED=30 is for a
machine that is slow. STREAM_PYTHON: of another Airflow's environment, such as 3.1.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import psutil
import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.ports import free_port
from services.standalone import EXAMPLES, Standalone

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.stream]

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = datetime(2026, 3, 3, tzinfo=MOSCOW)
NEXT_DAY = DAY + timedelta(days=1)
HOURS = float(os.environ.get("STREAM_HOURS", "24"))
SPEED = float(os.environ.get("STREAM_SPEED", "60"))
# Seconds in which the triggerer starts, before the hours that are played.
LEAD = 120.0
KILLS = max(2, round(10 * HOURS / 24))
OUTAGE = timedelta(hours=3 * HOURS / 24)
# A minute of the real clock: Airflow takes half of it for a run of the DAG, whatever clock is played.
WINDOW, SETTLING, AGAIN = timedelta(hours=1), timedelta(minutes=10), timedelta(hours=2)
DAILY, LOAD, STREAM = "alloincognito_daily_calls", "alloincognito_load_duckdb", "alloincognito_stream"
CALLS_A_DAY = 600
LATE_EVERY, CORRECTED_EVERY = 17, 23


def changes(calls: int) -> list[dict[str, Any]]:
    """Return the calls that come late, and those that are corrected, an hour and more after their end."""
    day = DAY.date()
    late = [{"day": day, "index": at, "change": "add", "after": 4000.0} for at in range(5, calls, LATE_EVERY)]
    corrected = [
        {"day": day, "index": at, "change": "longer", "after": 4500.0} for at in range(6, calls, CORRECTED_EVERY)
    ]
    return [*late, *corrected]


class Triggerer:
    """``airflow triggerer`` as a process of its own, which is started again whenever it has ended."""

    def __init__(self, airflow: Standalone, environment: dict[str, str]) -> None:
        self._program = str(Path(airflow.environment["PATH"].split(os.pathsep)[0], "airflow"))
        self._environment = {**airflow.environment, **environment}
        self._log = (airflow.home / "triggerer.txt").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def keep_running(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self.starts += 1
            self._process = subprocess.Popen(
                [self._program, "triggerer"],
                env={**self._environment, "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())},
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._log.close()


@dataclass
class Seen:
    """When each row was first seen in the table, by the played clock; and the table as it is now."""

    warehouse: Path
    at: dict[tuple[Any, ...], float] = field(default_factory=dict)
    table: list[tuple[Any, ...]] = field(default_factory=list)

    def look(self, now: float) -> None:
        if not self.warehouse.exists():
            return
        try:
            with duckdb.connect(str(self.warehouse), read_only=True) as db:
                of_the_day = "SELECT call_id, talk_seconds FROM calls WHERE date = ? ORDER BY ALL"
                rows = db.execute(of_the_day, [DAY.date()]).fetchall()
        except (duckdb.IOException, duckdb.CatalogException):  # it is being loaded, or has no table yet
            return
        self.table = rows
        for row in rows:
            self.at.setdefault(row, now)


@pytest.fixture
def airflow(tmp_path: Path) -> Iterator[Standalone]:
    python = os.environ.get("STREAM_PYTHON", sys.executable)
    root = Path(__file__).parents[2]
    airflow = Standalone(
        tmp_path,
        python,
        PYTHONPATH=f"{root}{os.pathsep}{Path(__file__).parent}",
        ALLOINCOGNITO_FILES=f"{tmp_path.as_uri()}/files",
        ALLOINCOGNITO_WAREHOUSE=str(tmp_path / "calls.duckdb"),
        AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD="6",
        AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC="1",
        AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME="0.5",
    )
    try:
        yield airflow
    finally:
        airflow.stop()


def put_dags(airflow: Standalone) -> None:
    """Copy the example DAGs; retries come soon, and the watcher's clock is the played one."""
    for name in (DAILY, LOAD, STREAM):
        source = (EXAMPLES / f"{name}.py").read_text().replace("timedelta(minutes=5)}", "timedelta(seconds=5)}")
        source = source.replace(
            'AlloincognitoNewCallsTrigger("alloincognito_stream",',
            f'PlayedTrigger("alloincognito_stream", window={WINDOW.total_seconds():.0f}, '
            f'look_again_after={AGAIN.total_seconds():.0f}, first="{DAY.isoformat()}",',
        )
        source = source.replace(
            "import AlloincognitoNewCallsTrigger, periods_with_new_calls",
            "import periods_with_new_calls\nfrom played_trigger import PlayedTrigger",
        )
        (airflow.dags / f"{name}.py").write_text(source)
    shutil.copy(EXAMPLES / f"{LOAD}.sql", airflow.dags)


def kill_own_triggerer(airflow: Standalone) -> None:
    """End the triggerer that ``airflow standalone`` has started: another one takes its place."""
    for process in psutil.Process(airflow.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "triggerer" in " ".join(process.cmdline()):
                process.kill()


def test_every_call_is_in_the_table_soon_and_once(airflow: Standalone) -> None:
    airflow.wait_until_healthy()
    kill_own_triggerer(airflow)
    put_dags(airflow)
    airflow.until(lambda: all(dag_id in airflow.text_of("dags") for dag_id in (DAILY, LOAD, STREAM)), 120)
    start = NEXT_DAY - timedelta(hours=HOURS)
    with Sandbox(
        calls_per_day=CALLS_A_DAY,
        daily_variation=False,
        recording_bytes=(720, 2000),
        clock_start=(start - timedelta(seconds=LEAD * SPEED)).replace(tzinfo=None),
        clock_speed=SPEED,
        changes=changes(CALLS_A_DAY),
    ) as sandbox:
        began = time.time() + LEAD
        connection = sandbox.connection(pair_store_seconds=5, pair_request_seconds=5)
        connection["extra"] = json.dumps(connection["extra"])
        airflow.call("POST", "connections", {"connection_id": "alloincognito_default", **connection})
        for dag_id in (LOAD, STREAM):
            airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
        triggerer = Triggerer(airflow, {"PLAYED": f"{began} {start.timestamp()} {SPEED}"})
        seen = Seen(airflow.home / "calls.duckdb")
        try:
            outage = play(airflow, sandbox, triggerer, seen, began, start)
        finally:
            triggerer.close()
        truth = sandbox.truth(DAY, NEXT_DAY)
        assert seen.table == sorted((str(row["callId"]), row["duration"]) for row in truth)
        airflow.call("PATCH", f"dags/{DAILY}", {"is_paused": False})
        daily_run(airflow)
        before = list(seen.table)
        seen.table = []
        airflow.until(lambda: seen.look(0.0) or bool(seen.table), 60)
        assert seen.table == before, "the daily run over the same day changes nothing"
        requests, rotations = sandbox.count("getcalllist"), len(sandbox.rotations)
        failed = list(airflow.run_states(STREAM).values()).count("failed")
        print(f"{requests} requests, {triggerer.starts} triggerers, {rotations} rotations, {failed} runs failed")
        assert failed <= 3, "no more than when the server goes away"
        check_lateness(sandbox, seen, start, outage)


def play(
    airflow: Standalone, sandbox: Sandbox, triggerer: Triggerer, seen: Seen, began: float, start: datetime
) -> tuple[float, float]:
    """Play the hours, and as long again as the last window takes; return when the server was away."""
    end = NEXT_DAY + AGAIN + WINDOW / 4
    span = end - start
    # No kill while the first token pair is made: the next triggerer waits until the lease of the killed one has ended,
    # which is most of a minute, and an hour by the played clock.
    kills = [start + span * (number + 0.8) / KILLS for number in range(KILLS)]
    away = start + timedelta(hours=HOURS) * 0.4
    back = away + OUTAGE

    def now() -> datetime:
        return start + timedelta(seconds=(time.time() - began) * SPEED)

    is_away = False
    while now() < end or unfinished(airflow):
        if kills and now() >= kills[0]:
            kills.pop(0)
            triggerer.kill()
        if is_away != (away <= now() < back):
            is_away = not is_away
            sandbox.add_fault("reset", times=None) if is_away else sandbox.clear_faults()
        triggerer.keep_running()
        seen.look(now().timestamp())
        assert now() < end + timedelta(hours=24), "the runs do not end"
        time.sleep(1)
    assert not kills
    seen.look(now().timestamp())
    return away.timestamp(), back.timestamp()


def unfinished(airflow: Standalone) -> bool:
    """
    Return whether a run goes on, or has yet to begin: its events are a few seconds old.

    A run that fails, since its retries were used up while the server was away, leaves its periods to the next.
    """
    states = airflow.run_states(STREAM)
    return bool({"queued", "running"} & set(states.values())) or not states


def check_lateness(sandbox: Sandbox, seen: Seen, start: datetime, outage: tuple[float, float]) -> None:
    """Each row is there within two windows and the settling time, counted from when it could first be found."""
    late: list[float] = []
    first_look, second_look = SETTLING.total_seconds(), AGAIN.total_seconds()
    late_ids = set()
    for row in sandbox.truth(DAY, NEXT_DAY):
        begin = datetime.fromisoformat(row["startTime"]).replace(tzinfo=MOSCOW).timestamp()
        window = WINDOW.total_seconds()
        window_end = begin - begin % window + window
        listed = begin + row["duration"] + row["waitDuration"]
        was_late = row["callId"] % 10_000_000 >= 5_000_000
        was_corrected = (row["callId"] % 10_000_000 - 6) % CORRECTED_EVERY == 0 and not was_late
        listed += 4500.0 if was_corrected else 4000.0 if was_late else 0.0
        due = window_end + first_look
        if listed > due:
            due = window_end + second_look
        if due < start.timestamp():
            continue  # caught up with at the beginning
        if outage[0] <= due + window and due <= outage[1] + window:
            due = max(due, outage[1] + window)
        late.append(seen.at[str(row["callId"]), row["duration"]] - due)
        if late[-1] > window:
            late_ids.add((row["callId"], late[-1]))
    quantiles = statistics.quantiles(late, n=100)
    print(
        f"{len(late)} rows, in the table after their look was due, in played minutes: median {quantiles[49] / 60:.0f}, "
        f"99 % {quantiles[98] / 60:.0f}, last {max(late) / 60:.0f}"
    )
    # A look is due one window and the settling time after a call at most: one more window is left to Airflow.
    assert max(late) <= WINDOW.total_seconds() + 0.1 * WINDOW.total_seconds(), sorted(late_ids)[:5]


def daily_run(airflow: Standalone) -> None:
    """Run the daily DAG for the day by hand; its events have the day loaded."""
    known = set(airflow.run_states(LOAD))
    params = {"period_start": DAY.isoformat(), "period_end": NEXT_DAY.isoformat()}
    airflow.call("POST", f"dags/{DAILY}/dagRuns", {"dag_run_id": "day", "logical_date": None, "conf": params})
    airflow.until(lambda: airflow.run_states(DAILY).get("day") == "success", 400)
    airflow.until(lambda: len(set(airflow.run_states(LOAD)) - known) > 0 and airflow.ended(LOAD), 200)
    assert set(airflow.run_states(LOAD).values()) == {"success"}

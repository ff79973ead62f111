"""The daily DAG under a real scheduler: landed rows, token pairs, what logs and the database hold, what the UI gets."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import pytest
import tenacity
from asset_dags import CONSUMER, PARTITIONS
from leaks import Leaks, rows_of, texts_of

from airflow_provider_alloincognito.get_provider_info import CONNECTION_FIELDS
from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import AIRFLOW, EXAMPLES, Standalone

MOSCOW = ZoneInfo("Europe/Moscow")
DAYS = 3
DAG_ID = "alloincognito_daily_calls"
LOAD_ID = "alloincognito_load_duckdb"
TASKS = ("calls", "recordings")
# The masker in this task's process knows neither the token nor the number. Airflow 3.3 masks a token in a log by its
# start, so its end goes into the log, and all of it into the XCom.
CANARY = """

with dag:

    @task
    def canary() -> str:
        token, number = Path(HOME, "canary.txt").read_text().splitlines()
        print("The canary prints:", token.rpartition(".")[2], number)
        return f"The canary prints: {token} {number}"

    canary() >> calls
"""

pytestmark = pytest.mark.system


class Ran(NamedTuple):
    """The first day of :func:`daily_runs`, what made the token pairs, and the canary's token and number."""

    first: datetime
    pairs: list[str]
    token: str
    number: str


@pytest.fixture(scope="module")
def daily_runs(standalone: Standalone, standalone_sandbox: Sandbox) -> Ran:
    """Three days of catch-up and a fourth run with errors; a canary in each prints a token and a number."""
    sandbox = standalone_sandbox
    today = datetime.now(MOSCOW).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=DAYS + 1)
    # The pair of another program, from before the first run: no masker here knows its token.
    sandbox.kill_pair()
    token = sandbox.tokens_ever_issued[-1]
    number = sorted(sandbox.phone_numbers(first, today))[0]
    written = f"+7 ({number[1:4]}) {number[4:7]}-{number[7:9]}-{number[9:]}"
    (standalone.home / "canary.txt").write_text(f"{token}\n{written}\n")
    made = len(sandbox.rotations)

    source = (EXAMPLES / f"{DAG_ID}.py").read_text()
    for old, new in (
        ('os.environ.get("ALLOINCOGNITO_FIRST_DAY")', repr(str(first.date()))),
        ("timedelta(minutes=5)", "timedelta(seconds=1)"),
    ):
        assert old in source
        source = source.replace(old, new)
    (standalone.dags / f"{DAG_ID}.py").write_text(source + CANARY)
    for name in (f"{LOAD_ID}.py", f"{LOAD_ID}.sql"):
        (standalone.dags / name).write_text((EXAMPLES / name).read_text())
    (standalone.dags / "consumer.py").write_text(CONSUMER.format(dag_id=DAG_ID))
    (standalone.dags / "partitions.py").write_text(PARTITIONS)
    standalone.until(lambda: all(f'"{dag_id}"' in standalone.text_of("dags") for dag_id in (DAG_ID, LOAD_ID)), 60)
    for dag_id in (LOAD_ID, DAG_ID):
        standalone.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
    standalone.until(lambda: succeeded(standalone) >= DAYS, 180)
    pairs = [rotation.by for rotation in sandbox.rotations[made:]]

    # Errors that quote numbers, rejections that quote tokens, recordings to fetch again: the run succeeds.
    sandbox.add_fault("error", method="getcalllist")
    sandbox.add_fault("error", method="getcallrecordfile")
    sandbox.expire_access()
    for mp3 in sorted((standalone.home / "alloincognito" / "recordings" / f"date={first.date()}").glob("*.mp3"))[:2]:
        mp3.unlink()
    again = standalone.call(
        "POST",
        f"dags/{DAG_ID}/dagRuns",
        {"dag_run_id": "trouble", "logical_date": (first + timedelta(hours=36)).isoformat()},
    )
    assert again["dag_run_id"] == "trouble"
    standalone.until(lambda: standalone.run_states(DAG_ID)["trouble"] in ("success", "failed"), 120)
    assert standalone.run_states(DAG_ID)["trouble"] == "success"
    days = [str((first + timedelta(days=day)).date()) for day in range(DAYS)]
    standalone.until(lambda: not Counter([*days, days[0]]) - Counter(loaded_days(standalone)), 120)
    return Ran(first, pairs, token, number)


def loaded_days(standalone: Standalone) -> list[str]:
    """Return the days that have been loaded, one that landed twice twice: Airflow starts a run for each."""
    runs = standalone.call("GET", f"dags/{LOAD_ID}/dagRuns?limit=100")["dag_runs"]
    assert "failed" not in {run["state"] for run in runs}
    return [run["partition_key"] for run in runs if run["state"] == "success"]


def succeeded(standalone: Standalone) -> int:
    states = list(standalone.run_states(DAG_ID).values())
    assert "failed" not in states
    return states.count("success")


def test_the_scheduler_runs_whole_moscow_days(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    runs = standalone.call("GET", f"dags/{DAG_ID}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
    scheduled = [run for run in runs if run["run_type"] == "scheduled"][:DAYS]
    wanted = []
    for day, run in enumerate(scheduled):
        start = daily_runs.first + timedelta(days=day)
        interval = [datetime.fromisoformat(run[f"data_interval_{end}"]) for end in ("start", "end")]
        assert interval == [start, start + timedelta(days=1)]
        truth = standalone_sandbox.truth(start, start + timedelta(days=1))
        wanted += [(str(start.date()), str(row["callId"]), row["recordFileId"]) for row in truth]
    last = daily_runs.first + timedelta(days=DAYS)
    landed = rows_before(str(last.date()), standalone.home / "alloincognito.duckdb")
    assert landed == sorted(wanted, key=lambda row: row[:2])


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(duckdb.IOException),  # a later run that writes locks the file
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(30),
    reraise=True,
)
def rows_before(date: str, database: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as db:
        query = "SELECT date::VARCHAR, call_id, record_file_id FROM calls WHERE date < ? ORDER BY ALL"
        return db.execute(query, [date]).fetchall()


def test_the_event_of_a_day_starts_the_dag_that_is_scheduled_by_it(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    # Airflow starts it once for all events that have come since it last looked.
    starts = [daily_runs.first + timedelta(days=day) for day in range(DAYS)]
    paths = [calls_of(standalone, start) for start in starts]
    extras: list[dict[str, Any]] = []

    def all_read() -> bool:
        extras[:] = returned_by(standalone, "consumer", "read")
        return {f"file://{path}" for path in paths} <= {extra["path"] for extra in extras}

    standalone.until(all_read, 60)
    to_load = returned_by(standalone, "consumer", "periods")
    assert {(str(start.date()), f"file://{path}") for start, path in zip(starts, paths, strict=True)} <= set(
        map(tuple, to_load)
    )
    for start, path in zip(starts, paths, strict=True):
        extra = next(extra for extra in extras if extra["path"] == f"file://{path}")
        assert extra["period_start"] == start.isoformat()
        assert extra["rows"] == len(standalone_sandbox.truth(start, start + timedelta(days=1)))
        assert extra["bytes"] == path.stat().st_size


def calls_of(standalone: Standalone, start: datetime) -> Path:
    return standalone.home / "alloincognito" / "calls" / f"date={start.date()}" / "calls.parquet"


def test_each_day_of_a_period_starts_the_dag_that_is_scheduled_by_partitions(
    standalone: Standalone, daily_runs: Ran
) -> None:
    standalone.start_run("two_days")
    standalone.until(lambda: sorted(returned_by(standalone, "each_day", "day")) == ["2026-03-03", "2026-03-04"], 90)


def returned_by(standalone: Standalone, dag_id: str, task_id: str) -> list[Any]:
    """Return what a task has returned in all runs that have succeeded; lists are joined."""
    returned: list[Any] = []
    for run_id, state in standalone.run_states(dag_id).items():
        if state == "success":
            path = f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/return_value"
            value = standalone.call("GET", f"{path}?deserialize=true")["value"]
            returned += value if isinstance(value, list) else [value]
    return returned


def test_a_run_by_hand_loads_the_days_of_its_period(standalone: Standalone, daily_runs: Ran) -> None:
    last = daily_runs.first + timedelta(days=DAYS)
    ends = {"period_start": str(daily_runs.first.date()), "period_end": str(last.date())}
    by_hand = {"dag_run_id": "by_hand", "logical_date": None, "conf": ends}
    standalone.call("POST", f"dags/{LOAD_ID}/dagRuns", by_hand)
    standalone.until(lambda: standalone.run_states(LOAD_ID)["by_hand"] in ("success", "failed"), 120)
    path = f"dags/{LOAD_ID}/dagRuns/by_hand/taskInstances/load/xcomEntries/return_value"
    assert standalone.call("GET", path)["value"]["periods"] == DAYS


def test_openlineage_learns_what_has_landed_and_no_number(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    text = (standalone.home / "openlineage.jsonl").read_text()
    numbers = standalone_sandbox.phone_numbers(daily_runs.first, datetime.now(MOSCOW))
    assert Leaks(standalone_sandbox.tokens_ever_issued, numbers).found_in(text) == set()

    events = [event for event in map(json.loads, text.splitlines()) if event["eventType"] == "COMPLETE"]
    of_task = {task: [event for event in events if event["job"]["name"] == f"{DAG_ID}.{task}"] for task in TASKS}
    calls = calls_of(standalone, daily_runs.first)
    landed = output_of(of_task["calls"], str(calls))
    assert landed["namespace"] == "file"
    truth = standalone_sandbox.truth(daily_runs.first, daily_runs.first + timedelta(days=1))
    statistics = landed["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (len(truth), calls.stat().st_size)
    columns = {field["name"]: field["type"] for field in landed["facets"]["schema"]["fields"]}
    assert set(columns) == {"row_key", *truth[0]}
    assert (columns["startTime"], columns["duration"], columns["status"]) == ("timestamp", "int64", "string")
    assert {one["name"] for one in of_task["calls"][0]["inputs"]} == {"/api/v1/request/getcalllist"}
    assert {one["namespace"] for one in of_task["calls"][0]["inputs"]} == {standalone_sandbox.url}

    folder = standalone.home / "alloincognito" / "recordings" / calls.parent.name
    outputs = [one for event in of_task["recordings"] for one in event["outputs"] if one["name"] == str(folder)]
    files = [one["outputFacets"]["outputStatistics"]["fileCount"] for one in outputs]
    recorded = sum(bool(row["recordFileId"]) for row in truth)
    assert files[0] == recorded
    assert files[-1] == len(list(folder.glob("*.mp3")))  # of the run with errors, which may have left one out
    inputs = [one["name"] for event in of_task["recordings"] for one in event["inputs"]]
    assert {"/api/v1/request/getcallrecordfile", f"{calls}"} <= set(inputs)


def output_of(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the first output of this name."""
    return next(output for event in events for output in event["outputs"] if output["name"] == name)


def test_a_task_links_to_the_servers_documentation(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    links = standalone.call("GET", f"dags/{DAG_ID}/dagRuns/trouble/taskInstances/calls/links")["extra_links"]
    assert links == {"API documentation": f"{standalone_sandbox.url}/docs", "Landed file": None}


def test_all_runs_and_tasks_made_one_pair(daily_runs: Ran) -> None:
    # Three runs at a time with two tasks each that make requests, every task in its own process.
    assert daily_runs.pairs == ["create"]


def test_logs_and_database_hold_no_token_and_no_number(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    sandbox = standalone_sandbox
    numbers = sandbox.phone_numbers(daily_runs.first, datetime.now(MOSCOW)) | {"79161234567"}
    assert len(sandbox.tokens_ever_issued) >= 5
    leaks = Leaks(sandbox.tokens_ever_issued, numbers)
    number, end = daily_runs.number[-10:], daily_runs.token.rpartition(".")[2][:24]

    logs = dict(texts_of(standalone.home / "logs"))
    # The scheduler prints task logs on its terminal; line by line, to tell the canary's from others.
    places = [*logs.items()]
    for line in standalone.terminal.read_text(errors="replace").splitlines():
        places.append(("terminal, canary" if "The canary prints:" in line else "terminal", line))
    places += rows_of(standalone.home / "airflow.db")
    places += [("a path", str(path)) for path in standalone.home.rglob("*")]
    found = [(place, leak) for place, text in places if (leak := leaks.found_in(text))]

    # The search works: it finds the canary's log and return value, once for each run ...
    logged = [leak for place, leak in found if "task_id=canary" in place]
    assert logged == [{number, end}] * len(logged)
    printed = [leak for place, leak in found if place == "terminal, canary" and end in leak]
    assert printed == [{number, end}] * len(printed)
    returned = [leak for place, leak in found if place.startswith("xcom") and "canary" in place]
    assert returned == [{number, end, daily_runs.token}] * len(returned)
    assert min(len(logged), len(printed), len(returned)) > DAYS
    # ... and nothing anywhere else, although the logs are not empty.
    assert [place for place, _ in found if "canary" not in place] == []
    task_logs = "".join(text for place, text in logs.items() if "task_id=" in place)
    for part in ("Внутренняя ошибка", "<number>", "AlloIncognito tokens:", "1500"):
        assert part in task_logs
    tables = {place.partition(":")[0] for place, _ in places}
    assert {"xcom", "rendered_task_instance_fields", "variable", "connection", "log"} <= tables


def test_the_api_server_shows_no_token_and_no_number(
    standalone: Standalone, standalone_sandbox: Sandbox, daily_runs: Ran
) -> None:
    numbers = standalone_sandbox.phone_numbers(daily_runs.first, datetime.now(MOSCOW))
    leaks = Leaks(standalone_sandbox.tokens_ever_issued, numbers)
    variables = standalone.text_of("variables")
    assert "alloincognito_pair_" in variables
    run = f"dags/{DAG_ID}/dagRuns/trouble/taskInstances"
    shown = [variables, standalone.text_of("connections"), standalone.text_of(run)]
    for task in ("calls", "recordings"):
        shown.append(standalone.text_of(f"{run}/{task}/xcomEntries/return_value"))
        shown.append(standalone.text_of(f"{run}/{task}/logs/1"))
    assert "request_hashes" in shown[3]
    assert [leaks.found_in(text) for text in shown] == [set()] * len(shown)


def test_the_ui_gets_the_connection_form(standalone: Standalone) -> None:
    forms = standalone.call("GET", "connections/hook_meta", root="ui")
    (form,) = [one for one in forms if one["connection_type"] == "alloincognito"]
    fields: dict[str, Any] = form["extra_fields"]
    assert set(fields) == set(CONNECTION_FIELDS)
    assert form["standard_fields"]["password"]["title"] == "Authorization token"
    assert form["standard_fields"]["login"]["hidden"]
    for name, field in CONNECTION_FIELDS.items():
        assert fields[name]["description"] == field["description"]
    assert "exclusive" in json.dumps(fields["period_end"])


def test_airflow_lists_the_provider(standalone: Standalone) -> None:
    listed = subprocess.run(
        [AIRFLOW, "providers", "list", "--output", "json"],
        env=standalone.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "airflow-provider-alloincognito" in [one["package_name"] for one in json.loads(listed[listed.index("[{") :])]


def test_no_temporary_file_is_left(standalone: Standalone, daily_runs: Ran) -> None:
    assert list(Path(standalone.home, "alloincognito").rglob(".*")) == []

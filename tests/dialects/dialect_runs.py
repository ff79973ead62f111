"""A dialect, and what lands from it: the daily DAG, the sensor and the operator of results, each by its own code."""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pendulum
from dag_runs import one_task_dag, run_dag
from loading import load_into_duckdb
from switches import Answer

from airflow_provider_alloincognito.errors import AlloincognitoApiError, AlloincognitoError
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoRequestResultOperator
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

DAILY = Path(__file__).parents[2] / "example_dags" / "alloincognito_daily_calls.py"
CONNECTIONS = "AIRFLOW_CONN_DIALECT_"
MOSCOW = ZoneInfo("Europe/Moscow")
DAY = datetime(2026, 3, 2, tzinfo=MOSCOW)
NEXT_DAY = DAY + timedelta(days=1)
SMALL: dict[str, Any] = {"calls_per_day": 8, "daily_variation": False, "recording_bytes": (300, 2000)}
CONNECTION: dict[str, Any] = {"pair_store": "memory", "timeout": 10}
# A request for a pair that takes three times as long as usual is given up, and the next one may cross it. With many
# sandboxes in one process, the usual time is not a tenth of a second.
QUICK_TOKENS: dict[str, Any] = {"pair_store_seconds": 0.02, "pair_request_seconds": 1.0}
QUICK: dict[str, Any] = {"poll_interval": 0.02, "wait_timeout": 60}

log = logging.getLogger(__name__)
_numbers = itertools.count()
_importing = threading.Lock()


@dataclass(frozen=True)
class Dialect:
    """
    One answer to each of some questions.

    :param answers: the others are as assumed.
    :param told: Connection and DAG say what they have to; otherwise they keep their defaults.
    """

    answers: tuple[Answer, ...]
    told: bool = True

    @property
    def sandbox(self) -> dict[str, Any]:
        return {**SMALL, **_joined(answer.sandbox for answer in self.answers)}

    @property
    def extra(self) -> dict[str, Any]:
        # A token call is sent again only for some times as long as it usually takes.
        quick = QUICK_TOKENS if "rate_limit" not in self.sandbox else {}
        return {**CONNECTION, **quick, **(_joined(answer.extra for answer in self.answers) if self.told else {})}

    @property
    def fields(self) -> dict[str, str]:
        return _joined(answer.fields for answer in self.answers) if self.told else {}

    @property
    def cut(self) -> bool:
        return not self.told or all(answer.cut for answer in self.answers)

    @property
    def number(self) -> bool:
        return any(answer.number for answer in self.answers)

    @property
    def has_hash(self) -> bool:
        return all(answer.has_hash for answer in self.answers)


def _joined(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join mappings, and the mappings in them."""
    joined: dict[str, Any] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            known = joined.get(name)
            is_inner = isinstance(known, Mapping) and isinstance(value, Mapping)
            joined[name] = _joined(filter(None, (known, value))) if is_inner else value
    return joined


@dataclass
class Outcome:
    """
    What came of a dialect.

    :param dialect: which one.
    :param wrong: what landed, but is not the truth.
    :param errors: the errors, by step.
    :param warnings: the texts of the package's warnings.
    """

    dialect: Dialect
    wrong: list[str] = field(default_factory=list)
    errors: dict[str, BaseException] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        try:
            yield
        except AlloincognitoError as error:
            self.errors[name] = error

    def expect(self, what: str, landed: object, truth: object) -> None:
        if landed != truth:
            self.wrong.append(f"{what}: {landed!r} instead of {truth!r}"[:2000])


def run(dialect: Dialect, folder: Path) -> Outcome:
    """
    Execute every task once, without Airflow's database, against a sandbox that speaks the dialect.

    :param folder: for the files; made if there is none.
    """
    return _run(_Run, dialect, folder)


def run_in_airflow(dialect: Dialect, folder: Path) -> Outcome:
    """As :func:`run`, by ``dag.test()``: the daily DAG, and a DAG for each other task."""
    return _run(_AirflowRun, dialect, folder)


def _run(kind: type[_Run], dialect: Dialect, folder: Path) -> Outcome:
    folder.mkdir(exist_ok=True)
    with Sandbox(**dialect.sandbox) as sandbox, _warnings() as warnings:
        number = next(_numbers)
        os.environ[f"{CONNECTIONS}{number}"] = json.dumps(sandbox.connection(**dialect.extra))
        outcome = kind(dialect, sandbox, f"dialect_{number}", folder).all()
        outcome.warnings = warnings
    return outcome


def forget_connections() -> None:
    """Forget the Connections of all runs. Not while another runs: its threads may be reading the environment."""
    for name in [name for name in os.environ if name.startswith(CONNECTIONS)]:
        del os.environ[name]


class _Run:
    def __init__(self, dialect: Dialect, sandbox: Sandbox, conn_id: str, folder: Path) -> None:
        self.dialect = dialect
        self.sandbox = sandbox
        self.conn_id = conn_id
        self.folder = folder
        self.truth = sandbox.truth(DAY, NEXT_DAY)
        self.number: str | None = None
        if dialect.number and self.truth:
            caller, called = (self.name(name) for name in ("callerNumber", "calledNumber"))
            self.number = self.truth[0][caller]
            self.truth = [row for row in self.truth if self.number in (row[caller], row[called])]
        self.outcome = Outcome(dialect)
        self.xcoms: dict[str, Any] = {}

    def name(self, field: str) -> str:
        """The server's name of a row's field."""
        return self.sandbox.settings.row_fields.get(field) or field

    def all(self) -> Outcome:
        outcome = self.outcome
        self.daily(self.dag_file())
        if "calls" in self.xcoms:
            self.outcome.expect("rows", self.xcoms["calls"]["rows"], len(self.truth))
            (request_hash,) = self.xcoms["calls"]["request_hashes"]
            if request_hash is None:
                if self.dialect.has_hash:
                    outcome.wrong.append("the call list's hash is lost")
                return outcome
            with outcome.step("sensor"):
                self.sensor(request_hash)
            with outcome.step("result"):
                # The pair is invalid now: another is made.
                self.sandbox.kill_pair()
                self.result(request_hash)
            with outcome.step("refresh"):
                self.sandbox.expire_access()
                self.sensor(request_hash)
            if not outcome.errors:
                self.unknown_hash()
                if "refresh_before_expiry" not in self.dialect.extra:
                    outcome.expect("pairs made", len(self.sandbox.rotations), 4)  # first, killed, new, refreshed
        return outcome

    def dag_file(self) -> ModuleType:
        """The daily DAG, with this run's Connection."""
        module = daily_dag(self.folder, self.dialect.fields)
        calls, recordings = module.calls, module.recordings
        calls.alloincognito_conn_id = recordings.alloincognito_conn_id = self.conn_id
        calls.numbers = [self.number] if self.number else None
        recordings.on_error = "fail"  # the DAG would leave a recording's error to the manifest
        calls.poll_interval, calls.wait_timeout = QUICK["poll_interval"], QUICK["wait_timeout"]
        if not self.dialect.cut:
            calls.start_time_field = None
        return module

    def daily(self, module: ModuleType) -> None:
        """Execute the daily DAG, one task after the other."""
        with self.outcome.step("calls"):
            self.xcoms["calls"] = landed = self.execute(module.calls)
            with self.outcome.step("recordings"):
                module.recordings.calls = landed
                self.load(module, landed, self.execute(module.recordings))
                self.compare()

    def load(self, module: ModuleType, calls: Any, recordings: Any) -> None:
        """Load the day into the table, as the DAG does that the event of the recordings starts."""
        day = LandedPeriod(DAY, NEXT_DAY, calls["path"], recordings["manifest"])
        load_into_duckdb(module, self.warehouse, day)

    @property
    def warehouse(self) -> Path:
        return self.folder / "calls.duckdb"

    def compare(self) -> None:
        """Compare table and files with the truth."""
        call_id, started_at, seconds, record_file_id = (
            self.name(field) for field in ("callId", "startTime", "duration", "recordFileId")
        )
        wanted = [(str(row[call_id]), int(row[seconds]), row[record_file_id]) for row in self.truth]
        with duckdb.connect(str(self.warehouse), read_only=True) as db:
            rows = db.execute("SELECT call_id, talk_seconds, record_file_id FROM calls").fetchall()
            starts = db.execute("SELECT epoch_ms(started_at) FROM calls").fetchall()
        self.outcome.expect("table", rows, wanted)
        moments = [_epoch_ms(row[started_at], self.sandbox.settings.zone) for row in self.truth]
        self.outcome.expect("starts", [one for (one,) in starts], moments)
        mp3s = {file.stem: file.read_bytes() for file in (self.folder / "files").rglob("*.mp3")}
        ids = {row[record_file_id] for row in self.truth if row[record_file_id]}
        self.outcome.expect("recordings", mp3s, {one: self.sandbox.recording(one) for one in ids})

    def sensor(self, request_hash: str) -> None:
        sensor = AlloincognitoRequestResultSensor(
            task_id=f"ready_{next(_numbers)}",
            request_hash=request_hash,
            alloincognito_conn_id=self.conn_id,
            poke_interval=QUICK["poll_interval"],
            timeout=QUICK["wait_timeout"],
        )
        self.execute(sensor)

    def result(self, request_hash: str) -> None:
        cut: dict[str, Any] = {"period_start": DAY, "period_end": NEXT_DAY, "start_time_field": self.name("startTime")}
        path = self.folder / "result.jsonl"
        operator = AlloincognitoRequestResultOperator(
            task_id=f"land_{next(_numbers)}",
            request_hash=request_hash,
            output_path=path.as_uri(),
            alloincognito_conn_id=self.conn_id,
            **QUICK,
            **(cut if self.dialect.cut else {}),
        )
        self.execute(operator)
        self.outcome.expect("result", [json.loads(line) for line in path.read_bytes().splitlines()], self.truth)

    def unknown_hash(self) -> None:
        """A hash that the server does not know is an error, in whatever form it comes."""
        try:
            self.sensor("unknown==")
        except AlloincognitoApiError:
            return
        self.outcome.wrong.append("an unknown hash is no error")

    def execute(self, task: Any) -> Any:
        """Render and execute an operator as Airflow does, without Airflow's database."""
        context: Any = {
            "data_interval_start": pendulum.instance(DAY),
            "data_interval_end": pendulum.instance(NEXT_DAY),
            "ti": SimpleNamespace(try_number=1, task_id=task.task_id),
        }
        task.render_template_fields(context)
        task.pre_execute(context)
        return task.execute(context)


class _AirflowRun(_Run):
    def daily(self, module: ModuleType) -> None:
        for task in module.dag.tasks:
            task.retries = 0
        done = run_dag(module.dag, NEXT_DAY)
        if done.errors:
            self.outcome.errors["daily"] = done.error
        else:
            self.load(module, done.xcoms["calls"], done.xcoms["recordings"])
            self.compare()
        self.xcoms.update(done.xcoms)

    def execute(self, task: Any) -> Any:
        dag = one_task_dag("dialect", lambda: None)
        dag.add_task(task)
        done = run_dag(dag, NEXT_DAY)
        if done.errors:
            raise done.error


def daily_dag(folder: Path, fields: Mapping[str, str]) -> ModuleType:
    """
    Import the daily DAG as a user has it in the DAGs folder.

    :param folder: for its files.
    :param fields: the sandbox's names of a row's fields and the server's, for ``FIELDS``.
    """
    source = DAILY.read_text()
    start = source.index("FIELDS = {")
    end = source.index("}", start)
    mapping = source[start:end]
    for ours, theirs in fields.items():
        mapping = mapping.replace(f': "{ours}"', f': "{theirs}"')
    source = source[:start] + mapping + source[end:]
    # In the file: other threads may be reading the environment.
    line = next(line for line in source.splitlines() if line.startswith("FILES = "))
    path = folder / "daily.py"
    path.write_text(source.replace(line, f"FILES = {f'{folder.as_uri()}/files'!r}"))
    spec = importlib.util.spec_from_file_location(f"daily_{next(_numbers)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importing:  # the DAG that is being made is one for all threads
        spec.loader.exec_module(module)
    return module


def _epoch_ms(start: Any, zone: ZoneInfo) -> int:
    """Read a start in any of the sandbox's formats."""
    text = str(start)
    if text.isdigit():
        return int(text) if len(text) > 11 else 1000 * int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(text, "%d.%m.%Y %H:%M:%S")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect the package's warnings."""
    texts: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(record.getMessage())

    logger, collector = logging.getLogger("airflow_provider_alloincognito"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield texts
    finally:
        logger.removeHandler(collector)

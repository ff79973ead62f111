"""The calls of the fault suite, made in a process of their own: what each does, and what it returns as plain values."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import fsspec
import pyarrow.parquet
from airflow import __version__ as airflow_version
from loading import load_into_duckdb
from raw_server import HASH, mp3

from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.compat import AirflowTaskTimeout, ObjectStoragePath, TaskDeferred
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.shared import shared_pair
from airflow_provider_alloincognito.landing.calls import land_calls
from airflow_provider_alloincognito.landing.recordings import land_recording, land_recordings
from airflow_provider_alloincognito.loading import LandedPeriod
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger, ready_event

HERE = str(Path(__file__).parent)
START, END = (datetime(2026, 3, day, tzinfo=ZoneInfo("Europe/Moscow")) for day in (3, 4))
OURS = ("recording", "progress", "ahead")

if airflow_version.startswith("2."):
    from airflow.models.connection import Connection

    Connection()  # the first one loads all models, for seconds: here, before a process is forked for each call


class ConnectionTestFailed(Exception):
    """The connection test says that the Connection cannot be used."""


@dataclass(frozen=True)
class Call:
    """
    One call.

    :param url: the server's address.
    :param folder: where its files go.
    :param arguments: of the entry.
    :param store: the bucket that an operator's files go to; None for the folder.
    """

    url: str
    folder: Path
    arguments: dict[str, Any]
    store: str | None = None

    def given(self, **defaults: Any) -> dict[str, Any]:
        return {**defaults, **self.arguments}

    def path(self, name: str) -> ObjectStoragePath:
        return ObjectStoragePath((self.folder / name).as_uri())

    def output(self, name: str) -> str:
        """An operator's ``output_path``."""
        return f"{self.store}/{name}" if self.store else (self.folder / name).as_uri()


# Reading and landing


def list_calls(call: Call) -> Any:
    with AlloincognitoHook().get_call_list(START, END) as calls:
        return [row for batch in calls for row in batch]


def land_list(call: Call) -> Any:
    given = call.given(format="jsonl")
    suffix = given.pop("format")
    path = call.folder / f"calls.{suffix}"
    with AlloincognitoHook().get_call_list(START, END) as calls:
        land_calls(calls.batches(), path, **given)
    return read_rows(path)


def count_rows(call: Call) -> Any:
    with AlloincognitoHook().get_call_list(START, END) as calls:
        return sum(len(batch) for batch in calls.batches())


def read_rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def request_result(call: Call) -> Any:
    with AlloincognitoHook().get_request_result(HASH) as result:
        return [row for batch in result for row in batch]


def one_recording(call: Call) -> Any:
    (record_file_id,) = call.arguments["ids"]
    with AlloincognitoHook().get_call_record_file(record_file_id) as recording:
        return b"".join(recording) == mp3(record_file_id)


def one_recording_landed(call: Call) -> Any:
    (record_file_id,) = call.arguments["ids"]
    path = call.folder / f"{record_file_id}.mp3"
    land_recording(AlloincognitoHook().get_call_record_file, record_file_id, path)
    return path.read_bytes() == mp3(record_file_id)


def recordings(call: Call) -> Any:
    """Land recordings in the call's folder, or in the store that is named."""
    given = call.given(concurrency=4)
    given["ids"] = [str(one) for one in given["ids"]]
    folder = given.pop("store", None)
    target: Any = call.folder if folder is None else ObjectStoragePath(folder)
    landed = land_recordings(AlloincognitoHook().get_call_record_file, folder=target, **given)
    return {**asdict(landed), "whole": whole_recordings(call.folder)}


def whole_recordings(folder: Path) -> int:
    """Count the files that are what the server has."""
    return sum(file.read_bytes() == mp3(file.stem) for file in folder.glob("*.mp3"))


def test_connection(call: Call) -> Any:
    """Ask for the connection test's verdict; a pair is stored if the arguments say so."""
    if call.arguments.get("has_pair"):
        list_calls(call)
    good, text = AlloincognitoHook().test_connection()
    if not good:
        raise ConnectionTestFailed(text)
    return text


def stored_pair(call: Call) -> Any:
    """Read a call list; return whether a pair is stored then."""
    try:
        list_calls(call)
    finally:
        hook = AlloincognitoHook()
        store, _ = shared_pair(hook.settings, hook.access.authorization_token)
        if store.load() is not None:
            print("THE PAIR IS STORED", flush=True)
    return True


# Waiting


def poke(call: Call) -> Any:
    sensor = AlloincognitoRequestResultSensor(
        task_id="wait", **call.given(request_hash=HASH, poke_interval=0.1, timeout=10)
    )
    return run_operator(sensor)


def trigger(call: Call) -> Any:
    """Run the trigger on a loop of its own; return the event's status."""
    given = call.given(seconds=10.0, poll_interval=0.1, poll_factor=1.0)
    deadline = time.time() + given.pop("seconds")
    one = AlloincognitoRequestResultTrigger(HASH, deadline, **given)
    return ready_event(asyncio.run(watched_event(one))).status


async def watched_event(one: AlloincognitoRequestResultTrigger) -> Any:
    """Return the trigger's one event, and print for how long of the processor's time it held the loop."""
    held = 0.0

    async def watch() -> None:
        nonlocal held
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            held, before = max(held, now - before), now

    watcher = asyncio.create_task(watch())
    try:
        async for event in one.run():
            return event.payload
    finally:
        await asyncio.sleep(0.01)
        watcher.cancel()
        print(f"LOOP HELD {held:.4f}", flush=True)


def cancelled_trigger(call: Call) -> Any:
    """Cancel the trigger after a second, as a triggerer does with one whose task was stopped."""
    one = AlloincognitoRequestResultTrigger(HASH, time.time() + 300, poll_interval=0.1)

    async def cancel() -> float:
        task = asyncio.create_task(watched_event(one))
        await asyncio.sleep(1)
        task.cancel()
        cancelled = time.monotonic()
        with suppress(asyncio.CancelledError):
            await task
        return time.monotonic() - cancelled

    return asyncio.run(cancel())


def many_triggers(call: Call) -> Any:
    """Run so many triggers on one loop; return how many see that their result is ready."""

    async def wait() -> Any:
        ones = [
            AlloincognitoRequestResultTrigger(f"aGFzaA{number}==", time.time() + 60, poll_interval=0.5)
            for number in range(call.arguments["count"])
        ]
        return await asyncio.gather(*map(watched_event, ones))

    return sum(event["status"] == "ready" for event in asyncio.run(wait()))


def run_operator(operator: Any) -> Any:
    """Execute an operator as Airflow does: SIGTERM reaches ``on_kill``, a deferred task is resumed."""
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    signal.signal(signal.SIGUSR1, _time_out)
    context = {"data_interval_start": START, "data_interval_end": END, "ti": SimpleNamespace(try_number=1)}
    try:
        try:
            return operator.execute(context)
        except TaskDeferred as deferred:
            while True:
                event = asyncio.run(watched_event(deferred.trigger))
                try:
                    return operator.resume_execution(deferred.method_name, {"event": event}, context)
                except TaskDeferred as again:
                    deferred = again
    except AirflowTaskTimeout:
        operator.on_kill()
        raise


def _time_out(*_: object) -> None:
    raise AirflowTaskTimeout("execution_timeout")


def list_operator(call: Call) -> Any:
    given = call.given(period_start=START, period_end=END, poll_interval=0.1, wait_timeout=10, name="calls.jsonl")
    path = call.folder / given.pop("name")
    run_operator(AlloincognitoCallListOperator(task_id="list", output_path=call.output(path.name), **given))
    return read_rows(path)


def result_operator(call: Call) -> Any:
    given = call.given(request_hash=HASH, poll_interval=0.1, wait_timeout=10)
    path = call.folder / "calls.jsonl"
    run_operator(AlloincognitoRequestResultOperator(task_id="result", output_path=path.as_uri(), **given))
    return read_rows(path)


def recording_operator(call: Call) -> Any:
    """Land recordings; ``rows`` or ``torn`` write the file of calls that it takes the ids from."""
    given = call.given(concurrency=4)
    if "ids" in given:
        given["record_file_ids"] = given.pop("ids")
    if "rows" in given:
        file = call.folder / "calls.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in given.pop("rows")))
        given["calls"] = file.as_uri()
    if "torn" in given:
        given["calls"] = torn_file(call.folder, given.pop("torn")).as_uri()
    output = call.output("recordings")
    landed = run_operator(AlloincognitoRecordingOperator(task_id="files", output_path=output, **given))
    return {**landed, "whole": whole_recordings(call.folder / "recordings")}


def torn_file(folder: Path, suffix: str) -> Path:
    """Write a file of calls and cut its second half off."""
    import gzip

    path = folder / f"torn.{suffix}"
    count = 300
    if suffix == "parquet":
        table = pyarrow.table({"recordFileId": [f"id-{n}" for n in range(count)]})
        pyarrow.parquet.write_table(table, path)
    else:
        lines = [json.dumps({"recordFileId": f"id-{n}"}) for n in range(count)]
        if suffix.startswith("csv"):
            lines = ["recordFileId", *(f"id-{n}" for n in range(count))]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def dag_sensor(call: Call) -> Any:
    """Wait in a real task of real Airflow; return its state and its number of tries."""
    from task_runs import run_task

    given = call.given(request_hash=HASH, poke_interval=0.1, timeout=15, retries=0)
    return _state(run_task(lambda: AlloincognitoRequestResultSensor(task_id="wait", **given)))


def dag_operator(call: Call) -> Any:
    """Land a call list in a real task of real Airflow, deferred if the arguments say so."""
    from task_runs import run_task

    path = (call.folder / "calls.jsonl").as_uri()
    given = call.given(period_start=START, period_end=END, poll_interval=0.1, wait_timeout=15, retries=0)
    return _state(run_task(lambda: AlloincognitoCallListOperator(task_id="list", output_path=path, **given)))


def _state(run: Any) -> Any:
    if run.error is not None:
        raise run.error
    return [run.state, run.tries]


# Two processes that make a pair


class Claims:
    """A token store with claims and no lock, as Airflow's Variables are, in this process' memory."""

    def __init__(self) -> None:
        self._pair: Any = None
        self._claims: dict[str, str] = {}

    def load(self) -> Any:
        return self._pair

    def save(self, pair: Any) -> None:
        self._pair = pair

    def read_claim(self, of: str) -> str | None:
        return self._claims.get(of)

    def write_claim(self, of: str, nonce: str) -> None:
        self._claims[of] = nonce

    def drop_claim(self, of: str) -> None:
        self._claims.pop(of, None)


def two_makers(call: Call) -> Any:
    """Two clients without a pair, each as a process of its own, one a second after the other; then each once more."""
    from airflow_provider_alloincognito.api import methods

    settings = AlloincognitoHook().settings
    store: Any = Claims()
    errors: list[BaseException] = []

    def client() -> Client:
        return Client(settings, store, PairKeeper(settings, "an-authorization-token", locking=False))

    def use(one: Client, wait: float) -> None:
        time.sleep(wait)
        try:
            one.open(methods.request_result(settings, HASH)).close()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    clients = [client(), client()]
    threads = [threading.Thread(target=use, args=(one, index)) for index, one in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in clients:
        use(one, 0)
        one.close()
    if errors:
        raise errors[0]
    return "both"


# What else may be told


def shown_settings(call: Call) -> Any:
    """Show the settings as a log or a debugger would."""
    hook = AlloincognitoHook()
    return [repr(hook.settings), str(hook.settings), repr(hook.access)]


def shown_objects(call: Call) -> Any:
    """Show what a debugger would show of the objects that hold tokens and phone numbers."""
    from airflow_provider_alloincognito.api import methods
    from airflow_provider_alloincognito.api.query import CallListQuery

    hook = AlloincognitoHook()
    query = CallListQuery.checked(period_start=START, period_end=END, numbers=[call.arguments["number"]])
    with hook.list_calls(query) as calls:
        batches = list(calls.batches())
        store, keeper = shared_pair(hook.settings, hook.access.authorization_token)
        request = methods.call_list(hook.settings, query)
        shown = [hook, hook.get_conn(), hook.access, query, request, calls, batches, store, keeper, store.load()]
        print(shown, [str(one) for one in shown], flush=True)
    return True


def loaded_warehouse(call: Call) -> Any:
    """Load a day into the example DAG's warehouse; return its file's mode."""
    import importlib.util

    path = Path(HERE).parents[1] / "example_dags" / "alloincognito_daily_calls.py"
    spec = importlib.util.spec_from_file_location("daily_calls", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    day = pyarrow.table({field: ["1"] for field in module.COLUMNS.values()})
    started = pyarrow.array([datetime(2026, 3, 3, tzinfo=UTC)], pyarrow.timestamp("ms", tz="Europe/Moscow"))
    day = day.set_column(day.schema.get_field_index(module.FIELDS["started_at"]), module.FIELDS["started_at"], started)
    pyarrow.parquet.write_table(day, call.folder / "calls.parquet")
    (call.folder / "manifest.jsonl").touch()
    warehouse = call.folder / "warehouse.duckdb"
    os.umask(0o022)
    ends = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    calls, manifest = (str(call.path(name)) for name in ("calls.parquet", "manifest.jsonl"))
    load_into_duckdb(module, warehouse, LandedPeriod(*ends, calls, manifest))
    return f"{warehouse.stat().st_mode & 0o777:o}"


# What is prepared


def full_disk(folder: Path) -> None:
    """No file may grow beyond 48 KB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (49_152, 49_152))


def no_spool(folder: Path) -> None:
    """No file may grow beyond 4 KB, and temporary files are in the folder."""
    import tempfile

    tempfile.tempdir = str(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def little_memory(folder: Path) -> None:
    """100 MB more than there are now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 100_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def few_descriptors(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def no_fchmod(folder: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.fchmod = refuse  # type: ignore[assignment]


def no_fchmod_at_all(folder: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    os.fchmod = refuse  # type: ignore[assignment]


def attach(protocol: str, fs: Any) -> None:
    """Let Airflow's paths of a protocol lead to a file system."""
    try:
        from airflow.sdk.io.store import attach as attach_store
    except ImportError:
        from airflow.io.store import attach as attach_store  # type: ignore[no-redef, import-not-found]
    attach_store(protocol, fs=fs)


def s3_store(folder: Path) -> None:
    """``s3://bucket``, in the smallest parts that S3 takes."""
    from s3_server import S3

    from airflow_provider_alloincognito.landing.stores import remote

    remote.PART_BYTES = 5 << 20
    attach("s3", S3(int(os.environ["S3_PORT"])).file_system())


def slow_s3_store(folder: Path) -> None:
    """The same; it takes 1.5 seconds to say that an upload in parts has begun, and 1.5 more before it takes one."""
    import s3fs
    from fsspec.asyn import sync_wrapper

    class Slow(s3fs.S3FileSystem):  # type: ignore[misc]
        async def _call_s3(self, method: str, *args: Any, **kwargs: Any) -> Any:
            if method == "upload_part":
                await asyncio.sleep(1.5)
            response = await super()._call_s3(method, *args, **kwargs)
            if method == "create_multipart_upload":
                await asyncio.sleep(1.5)
            return response

        call_s3 = sync_wrapper(_call_s3)

    s3fs.S3FileSystem = Slow
    s3_store(folder)


def refusing_store(folder: Path) -> None:
    """``refusing://bucket``: every write is refused when it ends, but for that of a manifest."""
    from fsspec.implementations.memory import MemoryFileSystem

    class Refusing(MemoryFileSystem):  # type: ignore[misc]
        protocol = "refusing"

        def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
            if "manifest" not in path2:
                raise PermissionError("AccessDenied: the key may not write")
            super().mv(path1, path2, **kwargs)

        move = rename = mv

    fsspec.register_implementation("refusing", Refusing, clobber=True)
    attach("refusing", Refusing())


def planted_symlink(folder: Path) -> None:
    """The journal's name leads to a file that is not the run's."""
    (folder / "victim").write_text("not yours")
    (folder / ".manifest.jsonl.journal").symlink_to(folder / "victim")


def planted_journal(folder: Path) -> None:
    """A journal that everybody may read."""
    journal = folder / ".manifest.jsonl.journal"
    journal.touch()
    journal.chmod(0o666)


def planted_leftover(folder: Path) -> None:
    """What a killed run left of a recording that nobody asks for again."""
    leftover = folder / f".forgotten.mp3.{2**22 - 7}-{'0' * 16}.part"
    leftover.write_bytes(b"half")
    os.utime(leftover, (time.time() - 172_800,) * 2)


def netrc(folder: Path) -> None:
    """A ``.netrc`` with a login for the server's host."""
    file = folder / "netrc"
    file.write_text("machine 127.0.0.1 login somebody password netrc-password\n")
    file.chmod(0o600)
    os.environ["NETRC"] = str(file)


def no_pem(folder: Path) -> None:
    (folder / "no.pem").write_text("this is not a certificate")


# The process


def make_call(job: Mapping[str, Any], channel: Any) -> None:
    """
    Make one call and send what came of it; the process then waits to be killed.

    :param job: see ``runs.py``.
    :param channel: the sending end of a pipe.
    """
    folder = Path(job["folder"])
    printed = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            del os.environ[name]
    os.environ["NETRC"] = "/nonexistent"
    os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"] = connection(job)
    os.environ.update(job["environment"], S3_PORT=str(job["s3_port"]))
    if job["prepare"]:
        globals()[job["prepare"]](folder)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    channel.send(time.monotonic())
    report = made(job)
    time.sleep(0.05)  # threads that were told to end
    report["threads"] = [one.name for one in threading.enumerate() if one.name.startswith(OURS)]
    sys.stdout.flush()
    channel.send(report)
    while True:  # until it is killed: threads that were left behind may still send something
        time.sleep(1)


def made(job: Mapping[str, Any]) -> dict[str, Any]:
    """Make a call in this very process; return what came of it."""
    records = _Records()
    logging.getLogger().addHandler(records)
    logging.getLogger("airflow_provider_alloincognito").setLevel(logging.INFO)
    report: dict[str, Any] = {"value": None, "error": (), "text": "", "retryable": None, "shown": "", "locals": ""}
    function: Callable[[Call], Any] = globals()[job["call"]]
    report["started"], used = time.monotonic(), time.process_time()
    try:
        report["value"] = function(Call(job["url"], Path(job["folder"]), job["arguments"], job["store"]))
        report["ended"] = time.monotonic()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
        report["ended"] = time.monotonic()
        report |= _told(error)
    finally:
        logging.getLogger().removeHandler(records)
    processor = time.process_time() - used
    return {**report, "processor": processor, "logs": records.texts, "threads": []}


def connection(job: Mapping[str, Any]) -> str:
    """The Connection, as JSON or as a URI."""
    address = urlsplit(job["url"])
    host, password = address.hostname or "", job["password"]
    if job["uri"]:
        name = f"[{host}]" if ":" in host else host
        query = f"__extra__={quote(json.dumps(job['extra']), safe='')}"
        return f"alloincognito://:{quote(password, safe='')}@{name}:{address.port}/{address.scheme}?{query}"
    where: dict[str, Any] = {"host": host, "port": address.port, "schema": address.scheme}
    if job["host"] or address.path:
        where = {"host": job["host"] or job["url"]}
    return json.dumps({"conn_type": "alloincognito", **where, "password": password, "extra": job["extra"]})


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            self.texts.append((record.levelname, f"{record.getMessage()} {record.exc_text or ''}"))


def _told(error: BaseException) -> dict[str, Any]:
    """What anybody may be told of an error."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    plain = "".join(traceback.TracebackException.from_exception(error).format())
    return {
        "error": tuple(kind.__name__ for kind in type(error).__mro__[:-1]),
        "text": str(error),
        "retryable": _is_retried(error),
        "shown": f"{error}\n{error!r}\n{plain}",
        "locals": "\n".join(_locals(told)),
    }


def _is_retried(error: BaseException) -> bool | None:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return False if "AirflowFailException" in kinds else getattr(error, "retryable", None)


def _locals(told: traceback.TracebackException) -> list[str]:
    """The local variables of all frames but this suite's, along the chain that Python prints."""
    texts = []
    one: traceback.TracebackException | None = told
    while one is not None:
        for frame in one.stack:
            if not frame.filename.startswith(HERE):
                texts += [f"{frame.name}: {name} = {value}" for name, value in (frame.locals or {}).items()]
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return texts

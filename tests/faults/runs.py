"""Runs entries, several at a time: each call in a forked process, the server and the proxy in this one."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import calls
import trustme
from bucket import Bucket
from entry import Entry, Seen, Stop, tls_context
from raw_proxy import RawProxy
from raw_server import CREATE, DOCS, REFRESH, RawServer, jwt
from s3_server import S3
from task_runs import in_task

HERE = Path(__file__).parent
AT_A_TIME = 14
"""Calls mostly wait; more of them would wait for a processor as well."""
EXTRA: dict[str, Any] = {
    "pair_store": "memory",
    "timeout": 2,
    "retries": 2,
    "pair_request_seconds": 1.5,
    "pair_store_seconds": 0.1,
}
GRACE = 1.0
"""For so many seconds after its bound a call may go on before it is killed."""

_numbers = itertools.count()
_one_heavy = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """
    What came of an entry.

    :param seen: None if the call did not end.
    :param stuck: what was known of a call that had to be killed.
    """

    entry: Entry
    seen: Seen | None
    stuck: str = ""
    canaries: tuple[str, ...] = ()
    """Texts that nothing shown may hold: tokens and the file name."""
    number: str = ""
    """A phone number that nothing shown may hold, however it is grouped."""


class Runner:
    """
    Runs entries.

    :param folder: for the files of all calls.
    :param s3: for those of entries that go there.
    """

    def __init__(self, folder: Path, s3: S3 | None = None) -> None:
        self._folder, self._s3 = folder, s3
        self._authority = trustme.CA()
        self._processes = _fork_server()

    def run_all(self, entries: Iterable[Entry]) -> dict[str, Outcome]:
        """Run entries several at a time, those that take long first."""
        entries = list(entries)
        ordered = sorted((entry for entry in entries if not entry.airflow), key=lambda entry: -entry.expect.seconds)
        here = [entry for entry in entries if entry.airflow]
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            outcomes = threads.map(self.run, ordered)
            if here:
                in_task(lambda: None)  # the first task of a process takes long
            done = [self.run(entry) for entry in here]
            return {outcome.entry.id: outcome for outcome in (*outcomes, *done)}

    def run(self, entry: Entry) -> Outcome:
        lock: Any = _one_heavy if entry.heavy else nullcontext()
        with lock, ExitStack() as stack:
            number = next(_numbers)
            place = self._folder / f"{number:03}-{entry.id}"
            folder = place / "files"
            folder.mkdir(parents=True)
            phone = f"7916{number:03}{7306 + number:04}"
            tls = tls_context(entry.tls, self._authority) if entry.tls and entry.tls.plain != "instead" else None
            server = stack.enter_context(
                RawServer(
                    entry.server,
                    word=f"canary{number:03}x",
                    number=phone,
                    tls=tls,
                    plain=entry.tls.plain if entry.tls else None,
                    prefix=entry.prefix,
                    rate=entry.rate,
                    down=entry.down,
                    checks_tokens=entry.checks_tokens,
                    host=entry.listens_on,
                )
            )
            proxy = None
            if entry.proxy is not None:
                proxy = stack.enter_context(RawProxy(server.address[1], says=entry.proxy.says))
            self._authority.cert_pem.write_to_path(place / "ca.pem")
            bucket = None
            if entry.s3:
                assert self._s3 is not None
                bucket = Bucket(self._s3, f"entry-{number}")
            names = {
                "<proxy>": proxy.url if proxy else "",
                "<proxy port>": str(proxy.port) if proxy else "",
                "<port>": str(server.address[1]),
                "<ca>": str(place / "ca.pem"),
                "<folder>": str(folder),
                "<url>": server.url,
            }
            password = jwt(f"canary{number:03}x-authorization")
            job = _filled(
                {
                    "url": server.url,
                    "password": password,
                    "host": entry.host,
                    "uri": entry.uri,
                    "extra": {**EXTRA, **entry.extra},
                    "environment": dict(entry.environment),
                    "arguments": dict(entry.arguments),
                    "call": entry.call,
                    "prepare": entry.prepare,
                    "folder": str(folder),
                    "store": f"s3://{bucket.name}" if bucket else None,
                    "s3_port": self._s3.port if bucket and self._s3 else None,
                    "output": str(place / "output.txt"),
                },
                names,
            )
            outcome: Seen | str
            if entry.airflow:
                outcome = self._observe_here(entry, job, server, folder)
            else:
                outcome = self._observe(entry, job, server, proxy, folder, bucket)
            canaries = (f"canary{number:03}x", server.file_name)
            return Outcome(entry, outcome if isinstance(outcome, Seen) else None, str(outcome), canaries, phone)

    def _observe(
        self,
        entry: Entry,
        job: dict[str, Any],
        server: RawServer,
        proxy: RawProxy | None,
        folder: Path,
        bucket: Bucket | None,
    ) -> Seen | str:
        receiving, sending = self._processes.Pipe(duplex=False)
        process = self._processes.Process(target=calls.make_call, args=(job, sending), daemon=True)
        process.start()
        sending.close()
        try:
            if not receiving.poll(60):
                return "The process did not start."
            try:
                started = receiving.recv()
            except EOFError:
                return f"The process ended before its call: {_output(job)[-500:]}"
            memory, stopped, report = _watch(entry, process, receiving, server, bucket, started)
            if report is None:
                return f"It did not end within {entry.expect.seconds} s and was killed, after {_summary(server)}."
            # The process is still there: what it sends, or keeps open, after its call has ended.
            time.sleep(0.2 if stopped is None else 1.0)
            in_flight = server.in_flight()
        finally:
            with suppress(ProcessLookupError):
                if process.pid is not None:
                    os.kill(process.pid, signal.SIGKILL)
            process.join(10)
            receiving.close()
            process.close()
        seen = _seen(job, report, server, proxy, folder, memory, in_flight, stopped)
        if bucket is None:
            return seen
        uploads = entry.stop.uploads if entry.stop else 0
        return replace(seen, stored=bucket.files(), store_problems=[*bucket.problems(uploads)])

    def _observe_here(self, entry: Entry, job: dict[str, Any], server: RawServer, folder: Path) -> Seen:
        """In this process, where Airflow is ready to run tasks; that takes a new one half a minute."""
        os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"] = calls.connection(job)
        try:
            report = calls.made(job)
        finally:
            del os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"]
        return _seen(job, report, server, None, folder, 0, server.in_flight(), None)


def _seen(
    job: dict[str, Any],
    report: dict[str, Any],
    server: RawServer,
    proxy: RawProxy | None,
    folder: Path,
    memory: float,
    in_flight: int,
    stopped: float | None,
) -> Seen:
    output = _output(job)
    held = [float(line.split()[-1]) for line in output.splitlines() if line.startswith("LOOP HELD ")]
    return Seen(
        value=report["value"],
        processor=report["processor"],
        error=report["error"],
        text=report["text"],
        retryable=report["retryable"],
        shown="\n".join([report["shown"], *(text for _, text in report["logs"]), output]),
        locals=report["locals"],
        logs=report["logs"],
        output=output,
        left=sorted(file.name for file in folder.rglob("*") if not file.is_dir()),
        seconds=report["ended"] - report["started"],
        started=report["started"],
        ended=report["ended"],
        memory=memory,
        threads=report["threads"],
        loop_held=max(held, default=0.0),
        requests=list(server.requests),
        rejected=len(server.rejected),
        proxied=list(proxy.requests) if proxy else [],
        in_flight=in_flight,
        stopped=stopped,
        folder=folder,
    )


def _watch(
    entry: Entry, process: Any, receiving: Any, server: RawServer, bucket: Bucket | None, started: float
) -> tuple[float, float | None, dict[str, Any] | None]:
    """Wait for the report; give the growth of memory in MB, the time of the signal, and the report."""
    first = _memory(process.pid)
    most, stopped, stop = first, None, entry.stop
    patience = entry.expect.seconds * (2 if entry.heavy else 1) + GRACE
    kill_at = started + patience
    asked_at: float | None = None
    while True:
        if receiving.poll(0.02):
            try:
                return (most - first) / 1e6, stopped, receiving.recv()
            except EOFError:
                return (most - first) / 1e6, stopped, None
        most = max(most, _memory(process.pid))
        now = time.monotonic()
        if stop is not None and stopped is None:
            kill_at = now + patience
            if asked_at is None and _is_due(stop, server, bucket):
                asked_at = now
            if (asked_at is not None and now - asked_at >= stop.after) or now - started > (40 if bucket else 10):
                stopped = time.monotonic()
                os.kill(process.pid, signal.SIGTERM if stop.how == "sigterm" else signal.SIGUSR1)
        elif now > kill_at:
            return (most - first) / 1e6, stopped, None


def _is_due(stop: Stop, server: RawServer, bucket: Bucket | None) -> bool:
    if _asked(server) < stop.requests:
        return False
    return bucket is None or (bucket.has_begun(stop.uploads) and bucket.has_landed(stop.landed))


def _asked(server: RawServer) -> int:
    """Requests but for those that make a pair, unless there are no others."""
    others = [request for request in list(server.requests) if request.method not in (CREATE, REFRESH, DOCS)]
    return len(others or server.requests)


def _memory(pid: int) -> int:
    """The process' own memory, without what it shares with files."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    return 0


def _summary(server: RawServer) -> str:
    counts: dict[str, int] = {}
    for request in list(server.requests):
        counts[request.method] = counts.get(request.method, 0) + 1
    return ", ".join(f"{count} {method}" for method, count in counts.items()) + " requests"


def _output(job: dict[str, Any]) -> str:
    try:
        return Path(job["output"]).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _filled(job: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            for name, text in names.items():
                value = value.replace(name, text)
        elif isinstance(value, dict):
            value = {key: fill(one) for key, one in value.items()}
        return value

    filled: dict[str, Any] = fill(job)
    json.dumps(filled["extra"])
    return filled


def _fork_server() -> Any:
    """A process that has imported what the calls need, and forks one for each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["calls", "task_runs"])
    paths = (HERE, HERE.parent, HERE.parent.parent, os.environ.get("PYTHONPATH"))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(str(path) for path in paths if path)
    try:
        from multiprocessing import forkserver

        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context

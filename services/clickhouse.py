"""
ClickHouse's engine behind enough of its HTTP interface for ``clickhouse-connect`` and Airflow's provider.

The engine is that of the wheel of chdb, which has no server. ``python -m services.clickhouse FOLDER PORT`` keeps its
data in the folder, which no other process may use meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import requests

from services.ports import free_port

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

ROOT = Path(__file__).resolve().parents[1]
LONGEST_START = 30.0
# The interface's own parameters; all others are settings and query parameters.
OF_INTERFACE = {
    "buffer_size",
    "client_protocol_version",
    "compress",
    "database",
    "decompress",
    "default_format",
    "enable_http_compression",
    "http_headers_progress_interval_ms",
    "query",
    "query_id",
    "quota_key",
    "role",
    "send_progress_in_http_headers",
    "session_check",
    "session_id",
    "session_timeout",
    "wait_end_of_query",
}
# At the head of a body: the driver's own.
INSERT = re.compile(rb"INSERT INTO [^\n]+ FORMAT \w+\n")
LONGEST_STATEMENT = 1_000_000


@dataclass(frozen=True)
class RunningClickHouse:
    """Where it listens, and its process's id."""

    port: int
    pid: int

    @property
    def connection(self) -> str:
        """The Airflow Connection to it, as JSON."""
        return json.dumps({"conn_type": "clickhouse", "host": "127.0.0.1", "port": self.port, "login": "default"})


@contextmanager
def clickhouse() -> Iterator[RunningClickHouse]:
    """Start an empty server on the loopback."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="clickhouse-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "log.txt")
        with log.open("wb") as output:
            command = [sys.executable, "-m", "services.clickhouse", f"{folder}/data", str(port)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            give_up = time.monotonic() + LONGEST_START
            while not _is_up(port):
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"ClickHouse's engine did not start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield RunningClickHouse(port, process.pid)
        finally:
            process.kill()
            process.wait()


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/ping", timeout=5).ok
    except requests.RequestException:
        return False


class Engine:
    """
    The engine. Each request has a session of its own, so that settings do not outlive it.

    :param folder: for its data.
    """

    def __init__(self, folder: Path) -> None:
        from chdb.session import Session

        folder.mkdir(exist_ok=True)
        self._new_session: Callable[[], Any] = partial(Session, str(folder))
        # The engine stops with its last session.
        self._first = self._new_session()

    def run(self, query: str, parameters: Mapping[str, str], output_format: str) -> bytes:
        """
        Run one statement.

        :param parameters: the URL's.
        :raises RuntimeError: with the engine's error.
        """
        session = self._new_session()
        try:
            if database := parameters.get("database"):
                session.query(f"USE `{database}`")
            for name, value in parameters.items():
                if name not in OF_INTERFACE:
                    text = value.replace("\\", "\\\\").replace("'", "\\'")
                    session.query(f"SET {name} = '{text}'")
            return bytes(session.query(query, output_format).bytes())
        finally:
            session.close()


class Body:
    """
    A request's body in a file: a statement, an ``INSERT`` and its rows, or rows alone.

    :param encoding: the header ``Content-Encoding``.
    """

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decode = _decoder(encoding)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._file.write(self._decode(chunk))

    def statement(self, query: str | None) -> str:
        """
        Return the request's statement. Rows are read from a file: ``chdb`` has no body to read them from.

        :param query: the URL's parameter ``query``.
        """
        self._file.flush()
        if query is None:
            self._file.seek(0)
            head = self._file.read(LONGEST_STATEMENT)
            match = INSERT.match(head)
            if match is None:
                return head.decode()
            with open(f"{self._file.name}.rows", "wb") as rows:
                rows.write(head[match.end() :])
                shutil.copyfileobj(self._file, rows)
            os.replace(rows.name, self._file.name)
            query = match[0].decode()
        elif not self._file.tell():
            return query
        before, _, name = query.rstrip().rpartition(" FORMAT ")
        return f"{before} FROM INFILE '{self._file.name}' FORMAT {name}"


def _decoder(encoding: str) -> Callable[[bytes], bytes]:
    if encoding == "lz4":
        import lz4.frame

        return lz4.frame.LZ4FrameDecompressor().decompress  # type: ignore[no-any-return]
    if encoding:
        raise RuntimeError(f"Code: 89. DB::Exception: unknown Content-Encoding {encoding} (UNKNOWN_COMPRESSION_METHOD)")
    return bytes


class Front:
    """The HTTP interface: a query in, bytes out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ping(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("Ok.\n")

    async def query(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        parameters = dict(request.query_params)
        with tempfile.NamedTemporaryFile(prefix="clickhouse-body-") as file:
            try:
                body = Body(file, request.headers.get("content-encoding", ""))
                async for chunk in request.stream():
                    body.write(chunk)
                statement = body.statement(parameters.get("query"))
                output_format = parameters.get("default_format", "TabSeparated")
                content = await run_in_threadpool(self._engine.run, statement, parameters, output_format)
            except RuntimeError as error:
                code = re.search(r"Code: (\d+)", str(error))
                headers = {"X-ClickHouse-Exception-Code": code[1] if code else "1000"}
                return Response(str(error), 500, headers, "text/plain")
        return Response(content, headers={"X-ClickHouse-Summary": "{}", "X-ClickHouse-Timezone": "UTC"})


def application(folder: Path) -> Any:
    """Return the ASGI application."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    front = Front(Engine(folder))
    return Starlette(routes=[Route("/ping", front.ping), Route("/", front.query, methods=["GET", "POST"])])


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")

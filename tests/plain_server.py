"""A server with fixed responses, for those that the sandbox never gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any


@dataclass
class Said:
    """The response for one path."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    verb: str
    target: str
    content_type: str | None
    body: bytes


@dataclass
class PlainServer:
    """Responds with ``answers`` by path, and records the requests."""

    url: str
    answers: dict[str, Said]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return an Airflow Connection to the server."""
        return {"conn_type": "alloincognito", "host": self.url, "password": "an-authorization-token", "extra": extra}


PAIR = b'{"accessToken": "the-access-token", "refreshToken": "the-refresh-token"}'
CREATE_PATH = "/api/v1/auth/integrationapi/create"
RESULT_PATH = "/api/v1/request/getrequestresultbyhash"
RECORD_FILE_PATH = "/api/v1/request/getcallrecordfile"
CALL_LIST_PATH = "/api/v1/request/getcalllist"


def listening(answers: dict[str, Said], tls: SSLContext | None) -> Listening:
    """Return a server with an open port."""
    server = Listening(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    server.plain = PlainServer(f"{scheme}://127.0.0.1:{server.server_address[1]}", answers)
    return server


class Listening(ThreadingHTTPServer):
    """The server behind its port."""

    plain: PlainServer
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing when a client hangs up."""


class _Handler(BaseHTTPRequestHandler):
    server: Listening

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        received = Received(self.command, self.path, self.headers.get("Content-Type"), body)
        self.server.plain.received.append(received)
        self.server.plain.asked.append((path, dict(self.headers)))
        said = self.server.plain.answers.get(path, Said(b"{}", 404))
        self.send_response(said.status)
        for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

"""A server for what no sandbox would say."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any


@dataclass
class Said:
    """What the server answers to one path."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class PlainServer:
    """Gives ``answers`` by path, and notes what was asked."""

    url: str
    answers: dict[str, Said]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


PAIR = b'{"accessToken": "the-access-token", "refreshToken": "the-refresh-token"}'
CREATE_PATH = "/api/v1/auth/integrationapi/create"
RESULT_PATH = "/api/v1/request/getrequestresultbyhash"
RECORD_FILE_PATH = "/api/v1/request/getcallrecordfile"
CALL_LIST_PATH = "/api/v1/request/getcalllist"


def listening(answers: dict[str, Said], tls: SSLContext | None) -> Listening:
    """Open its port."""
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
        """A client that hangs up in the middle is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    server: Listening

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.plain.asked.append((path, dict(self.headers)))
        said = self.server.plain.answers.get(path, Said(b"{}", 404))
        self.send_response(said.status)
        for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

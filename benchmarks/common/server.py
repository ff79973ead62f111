"""
A server that only sends responses rendered before, so that it is faster than what is measured.

``python -m benchmarks.common.server --rows 100000 --recording 300000`` serves ``/rows/100000`` and
``/recording/300000``, for any method, query and token, and prints its port.
"""

from __future__ import annotations

import argparse
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_alloincognito.api.settings import Settings
from benchmarks.common import bodies


@contextmanager
def running(module: str, *options: str) -> Iterator[str]:
    """Run a server in a process of its own; its module prints the port. Yield its URL."""
    with subprocess.Popen([sys.executable, "-m", module, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError(f"{module} did not start.")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, responses: dict[str, bytes], latency: float) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.responses = responses
        self.latency = latency


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        while request_line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline().strip().lower()) != b"":
                name, _, value = header.partition(b":")
                if name == b"content-length":
                    length = int(value)
            self.rfile.read(length)
            try:
                self._respond(request_line.split()[1].decode().partition("?")[0])
            except ConnectionError:
                return

    def _respond(self, path: str) -> None:
        body = self.server.responses[path]
        if path.startswith(("/rows", "/recording")):
            time.sleep(self.server.latency)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.connection.send(head, socket.MSG_MORE)
        self.connection.sendall(body)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", default=[], help="size of a call list")
    parser.add_argument("--recording", type=int, action="append", default=[], help="size of a recording, bytes")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before a response, but for a token pair")
    options = parser.parse_args()
    responses = {Settings().create_path: bodies.token_pair()}
    responses |= {f"/rows/{count}": bodies.call_list(count) for count in options.rows}
    responses |= {f"/recording/{size}": bodies.recording(size) for size in options.recording}
    with _Server(responses, options.latency) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()

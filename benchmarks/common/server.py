"""
A stand that does nothing but send bodies that were rendered before: it is to be faster than what it measures.

``python -m benchmarks.common.server --rows 100000 --recording 300000`` serves ``/rows/100000`` and
``/recording/300000``, whatever the verb, the query and the tokens, and prints its port.
"""

from __future__ import annotations

import argparse
import socket
import socketserver
import subprocess
import sys
import time
from typing import Self

from airflow_provider_alloincognito.api.settings import Settings
from benchmarks.common import bodies


class Server:
    """
    The server in a process of its own, used with ``with``.

    :param rows: sizes of call lists.
    :param recordings: sizes of recordings.
    :param latency: seconds before an answer, but for a token pair.
    """

    def __init__(self, *, rows: tuple[int, ...] = (), recordings: tuple[int, ...] = (), latency: float = 0.0) -> None:
        self._options = [f"--latency={latency}"]
        self._options += [f"--rows={count}" for count in rows] + [f"--recording={size}" for size in recordings]
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.common.server", *self._options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the server did not start")
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


class _Stand(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: dict[str, bytes], latency: float) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answers = answers
        self.latency = latency


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Stand

    def handle(self) -> None:
        while request_line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline().strip().lower()) != b"":
                name, _, value = header.partition(b":")
                if name == b"content-length":
                    length = int(value)
            self.rfile.read(length)
            try:
                self._answer(request_line.split()[1].decode().partition("?")[0])
            except ConnectionError:
                return

    def _answer(self, path: str) -> None:
        answer = self.server.answers[path]
        if path.startswith(("/rows", "/recording")):
            time.sleep(self.server.latency)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
        self.connection.send(head, socket.MSG_MORE)
        self.connection.sendall(answer)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", default=[], help="size of a call list")
    parser.add_argument("--recording", type=int, action="append", default=[], help="size of a recording, bytes")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    options = parser.parse_args()
    answers = {Settings().create_path: bodies.token_pair()}
    answers |= {f"/rows/{count}": bodies.call_list(count) for count in options.rows}
    answers |= {f"/recording/{size}": bodies.recording(size) for size in options.recording}
    with _Stand(answers, options.latency) as stand:
        print(stand.server_address[1], flush=True)
        stand.serve_forever()


if __name__ == "__main__":
    main()

"""An HTTP proxy of plain sockets, for CONNECT and for requests in absolute form, that records what it was sent."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

BLOCK = 1 << 16


@dataclass(frozen=True)
class Proxied:
    """What the proxy was sent."""

    verb: str
    target: str
    headers: dict[str, str]

    @property
    def login(self) -> str | None:
        """User and password of ``Proxy-Authorization``, read as UTF-8 or else as Latin-1."""
        kind, _, value = self.headers.get("proxy-authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        decoded = base64.b64decode(value)
        try:
            return decoded.decode()
        except UnicodeDecodeError:
            return decoded.decode("latin-1")


class RawProxy:
    """
    Listens on loopback.

    :param port: where everything goes, whatever host a request names.
    :param says: the proxy's own response to each request, instead of passing it on.
    """

    def __init__(self, port: int, *, says: bytes | None = None) -> None:
        self.requests: list[Proxied] = []
        self._says = says
        self._server = port
        self._guard = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> RawProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            sockets = list(self._sockets)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="raw proxy")
        with self._guard:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._guard:
            self._sockets.add(client)
        try:
            head, rest = self._read_head(client)
            first, *lines = head.decode("latin-1").split("\r\n")
            verb, target, version = first.split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            with self._guard:
                self.requests.append(Proxied(verb, target, headers))
            if self._says is not None:
                client.sendall(self._says)
                return
            with socket.create_connection(("127.0.0.1", self._server)) as server:
                with self._guard:
                    self._sockets.add(server)
                if verb == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    # One request a connection: the next may be for another host.
                    parts = urlsplit(target)
                    path = parts.path + (f"?{parts.query}" if parts.query else "")
                    kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
                    start = [f"{verb} {path} {version}", *kept, "Connection: close"]
                    server.sendall("\r\n".join(start).encode("latin-1") + b"\r\n\r\n")
                server.sendall(rest)
                self._relay(client, server)
        except (OSError, ValueError):
            pass  # one of the sides has gone
        finally:
            client.close()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=_pass_on, args=(server, client), daemon=True, name="raw proxy")
        back.start()
        _pass_on(client, server)
        back.join()
        with self._guard:
            self._sockets.discard(server)

    @staticmethod
    def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(BLOCK)
            if not more:
                raise ValueError
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

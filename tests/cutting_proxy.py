"""A TCP proxy that resets its connections after a number of bytes, and can be down."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from services.ports import free_port

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class CuttingProxy:
    """
    Passes connections on to a server on the loopback.

    :param port: the server's.
    """

    def __init__(self, port: int) -> None:
        self._passed = 0
        self._server = port
        self._guard = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._at: int | None = None
        self._act: Callable[[], object] = self.cut
        self._listener = socket.socket()
        # The kernel might give a port of its own choice to another program while the proxy is down.
        self.port = free_port()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))

    def __enter__(self) -> CuttingProxy:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def up(self) -> None:
        """Accept connections."""
        self._listener.listen(128)
        self._start(self._accept)

    def down(self) -> None:
        """Refuse new connections, and reset the open ones."""
        with suppress(OSError):  # it is down already
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        with self._guard:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RD)  # wakes its thread, which closes it

    def after(self, count: int | None, act: Callable[[], object]) -> int:
        """Call ``act`` after ``count`` more bytes in both directions; return how many passed since the last call."""
        with self._guard:
            passed, self._passed, self._at, self._act = self._passed, 0, count, act
            return passed

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            with self._guard:
                self._sockets |= {client, server}
            self._start(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
        back.start()
        self._pass_on(client, server)
        back.join()
        with self._guard:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._is_open(sink):
                    return
                allowed, act = self._count(len(data))
                sink.sendall(data[:allowed])
                if act is not None:
                    act()
        if self._is_open(sink):
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    def _is_open(self, one: socket.socket) -> bool:
        with self._guard:
            return one in self._sockets

    def _count(self, size: int) -> tuple[int, Callable[[], object] | None]:
        """Return how many of these bytes may pass, and what to call then."""
        with self._guard:
            before, self._passed = self._passed, self._passed + size
            if self._at is None or self._passed < self._at:
                return size, None
            allowed, self._at = self._at - before, None
            return allowed, self._act

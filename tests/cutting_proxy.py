"""A TCP proxy that cuts its connections once so many bytes have passed, and can be down."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from s3_server import free_ports

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class CuttingProxy:
    """
    Stands before a server on loopback.

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
        # A port that the kernel chose would be another one after being down.
        self.port = next(free_ports())
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
        """Take connections."""
        self._listener.listen(128)
        self._start(self._accept)

    def down(self) -> None:
        """Refuse connections, and cut those that there are."""
        with suppress(OSError):  # it is down
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
        """Do this once so many more bytes have passed, in both directions; tell how many have since the last time."""
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
                if not self._stands(sink):
                    return
                allowed, act = self._count(len(data))
                sink.sendall(data[:allowed])
                if act is not None:
                    act()
        if self._stands(sink):
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    def _stands(self, one: socket.socket) -> bool:
        with self._guard:
            return one in self._sockets

    def _count(self, size: int) -> tuple[int, Callable[[], object] | None]:
        """Say how much of some bytes may pass, and what is to be done then."""
        with self._guard:
            before, self._passed = self._passed, self._passed + size
            if self._at is None or self._passed < self._at:
                return size, None
            allowed, self._at = self._at - before, None
            return allowed, self._act

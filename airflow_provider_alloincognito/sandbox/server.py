"""The sandbox's server: it listens on a port, in a thread or in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_alloincognito.extras import how_to_install
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.state import SandboxState

if TYPE_CHECKING:
    import uvicorn

START_TIMEOUT = 30.0


class Sandbox(SandboxState):
    """
    A server that speaks AlloIncognito's integration API: for trying, teaching and testing.

    Used with ``with``, it runs in a thread of its own until the block ends.

    :param settings: its settings
    :param host: address to listen on
    :param port: port to listen on; 0: a free one
    :param changes: settings that differ from ``settings``
    """

    def __init__(
        self, settings: SandboxSettings | None = None, *, host: str = "127.0.0.1", port: int = 0, **changes: Any
    ) -> None:
        super().__init__(settings, **changes)
        self._host = host
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._stop: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        if self._socket is None:
            raise RuntimeError("The sandbox is not running: use it in a with block, or call start().")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Its URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def connection(self, *, password: str | None = None, **extra: Any) -> dict[str, Any]:
        """
        Return an Airflow Connection to the sandbox, in the JSON form of ``AIRFLOW_CONN_...``.

        :param password: the authorization token in the Connection; None: the one that is valid now
        :param extra: the Connection's extra fields; none: the Connection has no ``extra``
        """
        return {
            "conn_type": "alloincognito",
            "host": self._host,
            "schema": "http",
            "port": self.port,
            "password": self.authorization_token if password is None else password,
            **({"extra": extra} if extra else {}),
        }

    def start(self) -> Self:
        """Start it in a thread, and return when it accepts connections."""
        if self._thread is not None:
            raise RuntimeError("The sandbox is already running.")
        server = self._server()
        ready = threading.Event()
        listening = self._listen()

        def run() -> None:
            try:
                asyncio.run(self._serve(server, listening, ready))
            finally:
                ready.set()

        self._thread = threading.Thread(target=run, name="alloincognito-sandbox", daemon=True)
        self._thread.start()
        if not ready.wait(START_TIMEOUT) or not server.started:
            raise RuntimeError("The sandbox did not start.")
        return self

    def stop(self) -> None:
        """Stop it at once, without waiting for open requests."""
        if self._thread is None:
            return
        if self._stop is not None:
            self._stop()
        self._thread.join(START_TIMEOUT)
        self._thread = self._stop = self._socket = None

    def serve_forever(self, started: Callable[[Self], None]) -> None:
        """
        Serve in this thread until a signal is received.

        :param started: called with this sandbox when the port is open
        """
        server = self._server()
        listening = self._listen()
        started(self)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, self._wanted_port), family=family, backlog=2048)
        # Head and body are sent separately; without this each response would wait for an acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _server(self) -> uvicorn.Server:
        try:
            import uvicorn

            from airflow_provider_alloincognito.sandbox.app import SandboxApp
        except ImportError as e:
            raise ImportError(f"The sandbox needs FastAPI and uvicorn. {how_to_install('sandbox')}") from e
        config = uvicorn.Config(
            SandboxApp(self),
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        return uvicorn.Server(config)

    async def _serve(self, server: uvicorn.Server, listening: socket.socket, ready: threading.Event) -> None:
        """
        Do as ``uvicorn.Server.serve`` does, but stop at once.

        uvicorn's own loop checks ten times a second whether to stop, and waits for open connections: most of the time
        of a test suite with hundreds of sandboxes.
        """
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listening])
        await server.on_tick(0)
        ready.set()
        await stopped.wait()
        for one in server.servers:
            one.close()
        listening.close()
        for connection in list(server.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()
        # Let the connections notice that they are closed, then cancel what still waits.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

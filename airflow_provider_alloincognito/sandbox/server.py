"""The sandbox behind a port, in a thread or in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.state import SandboxState

if TYPE_CHECKING:
    import uvicorn

START_TIMEOUT = 30.0


class Sandbox(SandboxState):
    """
    A server that speaks AlloIncognito's integration API: for trying, teaching and testing.

    Used with ``with``, it runs in a thread of its own until the block ends.

    :param settings: its knobs
    :param host: where to listen
    :param port: 0: a free one
    :param knobs: knobs that differ from ``settings``
    """

    def __init__(
        self, settings: SandboxSettings | None = None, *, host: str = "127.0.0.1", port: int = 0, **knobs: Any
    ) -> None:
        super().__init__(settings, **knobs)
        self._host = host
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._stop: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._socket is None:
            raise RuntimeError("the sandbox is not running; use it in a with block, or call start()")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Start it in a thread, and return when it answers."""
        if self._thread is not None:
            raise RuntimeError("the sandbox is running already")
        server = self._server()
        ready = threading.Event()
        listening = self._listen()

        def run() -> None:
            try:
                asyncio.run(_serve(server, listening, ready, self._keep_stop))
            finally:
                ready.set()

        self._thread = threading.Thread(target=run, name="alloincognito-sandbox", daemon=True)
        self._thread.start()
        if not ready.wait(START_TIMEOUT) or not server.started:
            raise RuntimeError("the sandbox did not start")
        return self

    def stop(self) -> None:
        """Stop it at once, whatever is on its way."""
        if self._thread is None:
            return
        if self._stop is not None:
            self._stop()
        self._thread.join(START_TIMEOUT)
        self._thread = self._stop = self._socket = None

    def serve_forever(self, started: Callable[[Self], None]) -> None:
        """
        Serve in this thread until a signal comes.

        :param started: called when the port is open
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

    def _keep_stop(self, stop: Callable[[], object]) -> None:
        self._stop = stop

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Head and body are written apart; without this each answer would wait for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listening.bind((self._host, self._wanted_port))
        except OSError:
            listening.close()
            raise
        listening.listen(2048)
        self._socket = listening
        return listening

    def _server(self) -> uvicorn.Server:
        try:
            import uvicorn

            from airflow_provider_alloincognito.sandbox.app import SandboxApp
        except ImportError as e:
            raise ImportError(
                "the sandbox needs FastAPI and uvicorn: pip install 'airflow-provider-alloincognito[sandbox]'"
            ) from e
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


async def _serve(
    server: uvicorn.Server,
    listening: socket.socket,
    ready: threading.Event,
    keep_stop: Callable[[Callable[[], object]], None],
) -> None:
    """
    Do as ``uvicorn.Server.serve`` does, but end at once when told to.

    Its own loop looks for the end ten times a second and waits for open connections; a suite with hundreds of
    sandboxes would wait for that most of its time.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    keep_stop(lambda: loop.call_soon_threadsafe(ended.set))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    await server.on_tick(0)
    ready.set()
    await ended.wait()
    for one in server.servers:
        one.close()
    listening.close()
    for connection in list(server.server_state.connections):
        if transport := getattr(connection, "transport", None):
            transport.abort()
    # A turn of the loop lets the connections know that they are gone; what still waits then is let go.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)

"""A real SFTP server (asyncssh), started for the tests that use it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Sftp:
    """A running SFTP server, and what sshfs needs to reach it."""

    port: int

    def options(self) -> dict[str, Any]:
        login = {"username": "landing", "password": "secret", "known_hosts": None, "client_keys": None}
        return {"host": "127.0.0.1", "port": self.port, "skip_instance_cache": True, **login}

    def file_system(self) -> Any:
        import sshfs

        return sshfs.SSHFileSystem(**self.options())


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    import asyncssh

    folder = tmp_path_factory.mktemp("sftp")
    connections: list[Any] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, connection: Any) -> None:
            connections.append(connection)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("landing", "secret")

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(folder).encode())

    async def listen() -> Any:
        key = asyncssh.generate_private_key("ssh-ed25519")
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[key], sftp_factory=Files)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    yield Sftp(server.get_port())
    asyncio.run_coroutine_threadsafe(_end(server, connections), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end(server: Any, connections: list[Any]) -> None:
    server.close()
    await server.wait_closed()
    for connection in connections:
        connection.abort()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

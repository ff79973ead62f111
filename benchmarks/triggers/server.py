"""
A server on one thread, faster than what is measured. It creates a pair, and no result is ever ready.

``python -m benchmarks.triggers.server`` prints its port.
"""

from __future__ import annotations

import asyncio

from airflow_provider_alloincognito.api.settings import Settings
from benchmarks.common import bodies


def _response(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nDate: Tue, 03 Mar 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n" % status
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


PENDING = _response(b"202 Accepted", b'{"error": null, "result": {"apiName": "x", "requestHash": "h==", "code": 0}}')
PAIR = _response(b"200 OK", bodies.token_pair())
CREATE = f"GET {Settings().create_path}".encode()


class _Connection(asyncio.Protocol):
    """One connection; its requests have no bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            response = PAIR if self._received.startswith(CREATE) else PENDING
            self._received = self._received[end + 4 :]
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(response)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

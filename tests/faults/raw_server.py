"""A server of plain sockets: it sends the bytes it was given, as fast, as slowly or as incompletely as it was told."""

from __future__ import annotations

import base64
import gzip
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

CREATE, REFRESH, LIST, FILE, RESULT, DOCS = (
    "create",
    "refresh",
    "getcalllist",
    "getcallrecordfile",
    "getrequestresultbyhash",
    "docs",
)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
BLOCK = 1 << 16
REASONS = {200: "OK", 202: "Accepted", 401: "Unauthorized", 429: "Too Many Requests", 503: "Service Unavailable"}

HASH = "dGhlLWhhc2gtb2YtdGhlLXJlcXVlc3Q="
# MPEG 1 layer 3, 128 kbit/s, 44.1 kHz: a frame has 417 bytes.
FRAME_HEAD = b"\xff\xfb\x90\x00"


@dataclass(frozen=True)
class Request:
    """What the server was sent, and when by the clock that all processes of the machine share."""

    time: float
    verb: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def method(self) -> str:
        """The API's method: the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


HeaderValue: TypeAlias = str | Callable[[datetime], str]
"""A text, or a function of the server's clock."""
Body: TypeAlias = bytes | Callable[[Request], bytes]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """
    One response.

    :param body: the bytes, or a function of the request.
    :param framing: ``Content-Length``, chunks, or neither: the end of the connection is the end of the body.
    :param wrong_length: how much larger than the body ``Content-Length`` is.
    :param gzip: compress the body.
    :param wait: seconds before the first byte.
    :param never: read the request and send nothing.
    :param stall_after: send so many bytes of the body, then nothing; the connection stays open.
    :param cut_after: send so many bytes of the body, then end the connection.
    :param reset: end it by a reset.
    :param drip: bytes a second.
    :param drip_from: the body's byte from which it drips; -1 from the status line on.
    :param clock: how many seconds the server's clock is ahead.
    :param raw: send these bytes as they are, nothing else, and end the connection.
    """

    status: int = 200
    body: Body = b""
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    framing: Literal["length", "chunked", "close"] = "length"
    wrong_length: int = 0
    gzip: bool = False
    wait: float = 0.0
    never: bool = False
    stall_after: int | None = None
    cut_after: int | None = None
    reset: bool = False
    drip: float | None = None
    drip_from: int = -1
    clock: float = 0.0
    raw: bytes | None = None


Replies: TypeAlias = Reply | Sequence[Reply] | Callable[[Request, int], Reply | None]
"""The same reply always; one for each request, then the usual one; or chosen by the request and its number from 0."""


@dataclass(frozen=True)
class Rate:
    """
    Take so many requests of one method in any second; the others get 429.

    :param retry_after: the header's value; None sends none.
    """

    per_second: int
    retry_after: HeaderValue | None = None
    method: str = FILE


@dataclass(frozen=True)
class Down:
    """
    Refuse connections, and cut those that there are.

    :param after: once so many requests have come; 0 from the start.
    :param seconds: for so long; None for ever.
    """

    after: int = 0
    seconds: float | None = None


# What the server says when nothing is wrong


def jwt(word: str) -> str:
    """A token in the form of a JWT that holds a word nobody else says."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"p_token_id": word, "roles": ["api:integrationapi:access"]})
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{claims}.signature-{word}"


def mp3(record_file_id: str, frames: int = 8) -> bytes:
    """A recording: whole frames, with its id in each."""
    payload = f"recording {record_file_id} ".encode()
    return (FRAME_HEAD + payload + bytes(413 - len(payload))) * frames


def record_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-00000000abcd"


def rows(count: int = 5, number: str = "") -> list[dict[str, object]]:
    """Rows of a call list."""
    return [
        {"id": index, "number": number, "text": f"call {index}", "recordFileId": record_id(index)}
        for index in range(count)
    ]


def envelope(result: Mapping[str, object] | None, *, error: object = None, spaced: bool = False) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps({"error": error, "result": result}, ensure_ascii=False, separators=separators).encode()


def call_list(given: Sequence[object], *, request_hash: str = HASH, hash_last: bool = False) -> bytes:
    head = {"apiName": "getcalllist", "apiVersion": "1", "code": 0}
    if hash_last:
        return envelope({**head, "rowset": list(given), "requestHash": request_hash})
    return envelope({**head, "requestHash": request_hash, "rowset": list(given)})


def recording(content: bytes, file_name: str = "1.mp3") -> bytes:
    encoded = base64.b64encode(content).decode()
    return envelope({"apiName": "getcallrecordfile", "file_NAME": file_name, "fileContent": encoded})


def api_error(code: object, message: str) -> bytes:
    return envelope(None, error={"errorCode": code, "errorMessage": message})


class RawServer:
    """
    Listens on loopback, records every request, and replies as it was told.

    :param replies: by the API's method. What has none gets the usual reply.
    :param word: is in every token and file name that the server makes.
    :param number: a phone number, in every row.
    :param tls: wraps each connection.
    :param plain: speak plain text instead of TLS, or once the handshake is done.
    :param prefix: the path before ``/api``; requests for others get 404.
    """

    def __init__(
        self,
        replies: Mapping[str, Replies] | None = None,
        *,
        word: str = "canary",
        number: str = "79165550123",
        tls: ssl.SSLContext | None = None,
        plain: Literal["instead", "after"] | None = None,
        prefix: str = "",
        rate: Rate | None = None,
        down: Down | None = None,
        checks_tokens: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self.requests: list[Request] = []
        self.rejected: list[float] = []
        self.tokens: set[str] = set()
        self.word, self.number = word, number
        self.file_name = f"{word}_{number}.mp3"
        self._replies = replies or {}
        self._tls, self._plain = tls, plain
        self._prefix = prefix
        self._rate, self._taken = rate, deque[float]()
        self._down = down
        self._checks_tokens = checks_tokens
        self._counts: dict[str, int] = {}
        self._alive: str | None = None
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self.address: tuple[str, int] = (host, 0)
        self._listener = self._bind()
        self.address = (host, self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        name = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "https" if self._tls or self._plain else "http"
        return f"{scheme}://{name}:{self.address[1]}{self._prefix}"

    def __enter__(self) -> RawServer:
        if self._down is not None and self._down.after == 0:
            self._go_down()
        else:
            self._listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._close_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def count(self, method: str) -> int:
        return sum(request.method == method for request in list(self.requests))

    def in_flight(self) -> int:
        """How many responses have begun, or are waited for, on connections that the other side keeps open."""
        with self._guard:
            sockets = list(self._busy)
        return sum(_is_open(one) for one in sockets)

    # Connections

    def _bind(self) -> socket.socket:
        listener = socket.socket(self._family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.address)
        return listener

    def _listen(self) -> None:
        self._listener.listen(256)
        self._start(self._accept, self._listener)

    def _go_down(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._close_all()
        assert self._down is not None
        if self._down.seconds is not None:
            self._listener.close()  # the same socket could not listen again
            self._start(self._come_back, self._down.seconds)

    def _come_back(self, seconds: float) -> None:
        if not self._closing.wait(seconds):
            self._down = None
            self._listener = self._bind()
            self._listen()

    def _close_all(self) -> None:
        with self._guard:
            sockets = list(self._sockets)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # its thread closes it

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="raw server")
        with self._guard:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._guard:
            self._sockets.add(connection)
        served = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._plain == "instead":
                connection.recv(BLOCK)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            if self._tls is not None:
                served = self._tls.wrap_socket(connection, server_side=True)
                with self._guard:
                    self._sockets.discard(connection)
                    self._sockets.add(served)
            if self._plain == "after":
                served.recv(BLOCK)
                os.write(served.fileno(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                return
            buffer = bytearray()
            while not self._closing.is_set():
                request = _read_request(served, buffer)
                if request is None or not self._reply(served, request):
                    return
        except (OSError, ValueError):
            pass  # the other side has gone
        finally:
            with self._guard:
                self._sockets -= {connection, served}
                self._busy -= {served}
            with suppress(OSError):
                served.close()

    # Replies

    def _reply(self, connection: socket.socket, request: Request) -> bool:
        """Send the reply; return whether the connection goes on."""
        with self._guard:
            number = self._counts.get(request.method, 0)
            self._counts[request.method] = number + 1
            self.requests.append(request)
            goes_down = self._down is not None and len(self.requests) == self._down.after
        if goes_down:
            self._go_down()
            return False
        with self._guard:
            self._busy.add(connection)
        goes_on = self._send(connection, request, self._chosen(request, number))
        with self._guard:
            self._busy.discard(connection)
        return goes_on and request.headers.get("connection", "").lower() != "close"

    def _chosen(self, request: Request, number: int) -> Reply:
        if self._prefix and not request.path.startswith(self._prefix + "/"):
            return Reply(status=404, body=b"<html>no such page</html>")
        if self._rate is not None and request.method == self._rate.method and not self._has_room(request):
            after = {} if self._rate.retry_after is None else {"Retry-After": self._rate.retry_after}
            return Reply(status=429, headers=after)
        replies = self._replies.get(request.method, ())
        if isinstance(replies, Reply):
            return replies
        if isinstance(replies, Sequence):
            chosen = replies[number] if number < len(replies) else None
        else:
            chosen = replies(request, number)
        return chosen or self._usual(request)

    def _has_room(self, request: Request) -> bool:
        assert self._rate is not None
        with self._guard:
            while self._taken and self._taken[0] <= request.time - 1:
                self._taken.popleft()
            if len(self._taken) < self._rate.per_second:
                self._taken.append(request.time)
                return True
            self.rejected.append(request.time)
            return False

    def _usual(self, request: Request) -> Reply:
        if request.method in (CREATE, REFRESH):
            return Reply(body=self._new_pair())
        if self._checks_tokens and request.method != DOCS and request.token != self._alive:
            return Reply(status=401)
        if request.method == LIST:
            return Reply(body=call_list(rows(number=self.number)))
        if request.method == RESULT:
            return Reply(body=call_list(rows(number=self.number), request_hash=request.query.get("requestHash", HASH)))
        if request.method == FILE:
            return Reply(body=recording(mp3(request.query["recordFileId"]), self.file_name))
        if request.method == DOCS:
            return Reply(body=b"<html>Swagger UI</html>", headers={"Content-Type": "text/html"})
        return Reply(status=404, body=b"<html>no such page</html>")

    def _new_pair(self) -> bytes:
        with self._guard:
            number = len(self.tokens) // 2
            access, refresh = jwt(f"{self.word}-access-{number}"), jwt(f"{self.word}-refresh-{number}")
            self.tokens |= {access, refresh}
            self._alive = access
        ends = (datetime.now(UTC) + timedelta(hours=24)).isoformat()
        return json.dumps(
            {
                "accessToken": access,
                "accessTokenExpiredIn": ends,
                "refreshToken": refresh,
                "refreshTokenExpiredIn": ends,
            }
        ).encode()

    def _send(self, connection: socket.socket, request: Request, reply: Reply) -> bool:
        if reply.never:
            return self._hold(connection)
        if reply.wait and not self._pause(connection, reply.wait):
            return False
        if reply.raw is not None:
            connection.sendall(reply.raw)
            return self._end(connection, reply)
        body = reply.body if isinstance(reply.body, bytes) else reply.body(request)
        if reply.gzip:
            body = gzip.compress(body, 1)
        head = self._head(reply, len(body), closes=request.headers.get("connection", "").lower() == "close")
        pieces = _chunks(body) if reply.framing == "chunked" else [body]
        if reply.drip is not None:
            kept = b"" if reply.drip_from < 0 else head + body[: reply.drip_from]
            connection.sendall(kept)
            return self._drip(connection, (head + b"".join(pieces))[len(kept) :], reply.drip)
        ends = next((count for count in (reply.stall_after, reply.cut_after) if count is not None), None)
        connection.sendall(head)
        if ends is None:
            for piece in pieces:
                connection.sendall(piece)
            return reply.framing != "close" and not reply.wrong_length
        connection.sendall(_chunk(body[:ends]) if reply.framing == "chunked" and ends else body[:ends])
        if reply.stall_after is not None:
            return self._hold(connection)
        return self._end(connection, reply)

    @staticmethod
    def _end(connection: socket.socket, reply: Reply) -> bool:
        if reply.reset:
            time.sleep(0.05)  # the bytes before it are to arrive
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if isinstance(connection, ssl.SSLSocket):
                socket.close(connection.detach())
        return False

    def _head(self, reply: Reply, length: int, *, closes: bool) -> bytes:
        now = datetime.now(UTC) + timedelta(seconds=reply.clock)
        headers: dict[str, HeaderValue] = {
            "Date": format_datetime(now, usegmt=True),
            "Content-Type": "application/json",
        }
        if reply.framing == "length":
            headers["Content-Length"] = str(length + reply.wrong_length)
        elif reply.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Connection"] = "close"
        if closes:
            headers["Connection"] = "close"
        if reply.gzip:
            headers["Content-Encoding"] = "gzip"
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
        for name, value in {**headers, **reply.headers}.items():
            lines.append(f"{name}: {value if isinstance(value, str) else value(now)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drip(self, connection: socket.socket, data: bytes, per_second: float) -> bool:
        size = max(1, round(per_second / 10))
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
            if not self._pause(connection, size / per_second):
                return False
        return True

    def _hold(self, connection: socket.socket) -> bool:
        """Keep the connection open, and say nothing, until the other side closes it."""
        self._pause(connection, float("inf"))
        return False

    def _pause(self, connection: socket.socket, seconds: float) -> bool:
        """Wait; return False if either side ended the connection meanwhile."""
        ends = time.monotonic() + seconds
        while not self._closing.is_set():
            left = ends - time.monotonic()
            if left <= 0:
                return True
            if select.select([connection], [], [], min(left, 0.1))[0]:
                if not _is_open(connection):
                    return False
                time.sleep(min(max(left, 0), 0.05))
        return False


def _is_open(connection: socket.socket) -> bool:
    try:
        if not select.select([connection], [], [], 0)[0]:
            return True
        # What is there is an end, a reset, or a request. TLS: an end of the connection comes as data, too.
        peeked = socket.socket.recv(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except (OSError, ValueError):
        return False
    return bool(peeked) and not isinstance(connection, ssl.SSLSocket)


def _read_request(connection: socket.socket, buffer: bytearray) -> Request | None:
    while b"\r\n\r\n" not in buffer:
        data = connection.recv(BLOCK)
        if not data:
            return None
        buffer += data
    moment = time.monotonic()
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    verb, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(rest) < length:
        data = connection.recv(BLOCK)
        if not data:
            return None
        rest += data
    buffer[:] = rest[length:]
    return Request(moment, verb, target, headers, rest[:length])


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _chunks(body: bytes) -> list[bytes]:
    pieces = [_chunk(body[start : start + BLOCK]) for start in range(0, len(body), BLOCK)]
    return [*pieces, b"0\r\n\r\n"]

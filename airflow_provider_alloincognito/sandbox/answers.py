"""Answers on their way out: whole, chunked, packed, cut off, stalled or torn away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from starlette.types import Receive, Send

from airflow_provider_alloincognito.sandbox.faults import Fault
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

SMALL = 256 * 1024
JSON_TYPE = b"application/json; charset=utf-8"
_HTML = "<!doctype html><title>502</title><h1>Сервис временно недоступен</h1><p>+7 (916) 123-45-67</p>".encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer before it is sent.

    :param outcome: what the log says of it
    :param status: HTTP status
    :param head: the body; or its beginning, where there are pieces
    :param pieces: makes the middle of the body
    :param tail: the body's end
    :param pieces_length: the length of all pieces, where it is known
    :param slow: the pieces take long to make
    :param headers: beside those of the content
    :param rotation: a pair came to be
    """

    outcome: str
    status: int
    head: bytes
    pieces: Callable[[], Iterator[bytes]] | None = None
    tail: bytes = b""
    pieces_length: int | None = None
    slow: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = JSON_TYPE
    rotation: bool = False

    def body(self) -> Iterator[bytes]:
        """Give the body in pieces."""
        if self.pieces is None:
            return iter((self.head,))
        return chain((self.head,), self.pieces(), (self.tail,))

    @property
    def length(self) -> int | None:
        """The body's length, where it is known."""
        if self.pieces is None:
            return len(self.head)
        return None if self.pieces_length is None else len(self.head) + self.pieces_length + len(self.tail)


async def send_answer(
    answer: Answer, settings: SandboxSettings, packed: bool, fault: Fault | None, receive: Receive, send: Send
) -> None:
    """
    Send an answer.

    :param answer: the answer
    :param settings: how bodies travel
    :param packed: the client takes gzip
    :param fault: what goes wrong on the way
    """
    packed = packed and settings.gzip
    if fault is not None:
        answer = await _spoilt(answer, fault)
        if fault.kind in ("cut", "stall", "reset"):
            await _send_part(answer, settings, packed, fault, receive, send)
            return
    body = _pieces(answer, packed)
    length = None if packed else answer.length
    begun: list[bytes] = []
    if settings.transfer == "chunked":
        length = None
    elif settings.transfer == "content_length" and length is None and not packed:
        # A first pass only measures, so that a long list need not be held.
        length = await asyncio.to_thread(lambda: sum(map(len, answer.body())))
    elif length is None or length <= SMALL:
        begun, ended = await _begin(body, None if settings.transfer == "content_length" else SMALL)
        length = sum(map(len, begun)) if ended else None
    await _send_start(answer, packed, length, send)
    if begun:
        more = length is None
        await send({"type": "http.response.body", "body": b"".join(begun), "more_body": more})
        if not more:
            return
    async for piece in body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _begin(body: AsyncIterator[bytes], enough: int | None) -> tuple[list[bytes], bool]:
    """Take the body's first pieces, and tell whether the body ends with them."""
    begun: list[bytes] = []
    size = 0
    async for piece in body:
        begun.append(piece)
        size += len(piece)
        if enough is not None and size > enough:
            return begun, False
    return begun, True


async def _pieces(answer: Answer, packed: bool) -> AsyncIterator[bytes]:
    pieces = answer.body()
    packer = zlib.compressobj(1, wbits=31) if packed else None
    while True:
        piece = await asyncio.to_thread(next, pieces, None) if answer.slow else next(pieces, None)
        if piece is None:
            break
        if packer is not None:
            piece = packer.compress(piece)
        if piece:
            yield piece
    if packer is not None:
        yield packer.flush()


async def _send_start(answer: Answer, packed: bool, length: int | None, send: Send) -> None:
    headers = [(b"content-type", answer.content_type), *answer.headers]
    if packed:
        headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _spoilt(answer: Answer, fault: Fault) -> Answer:
    """Give the answer as a fault leaves it; what happens on the wire comes later."""
    match fault.kind:
        case "status":
            after = () if fault.retry_after is None else ((b"retry-after", str(fault.retry_after).encode()),)
            return Answer(answer.outcome, fault.status, b'{"error":null,"result":null}', headers=after)
        case "html":
            return Answer(answer.outcome, 200, _HTML, content_type=b"text/html; charset=utf-8")
        case "empty_body":
            return Answer(answer.outcome, 200, b"")
        case "no_result":
            return Answer(answer.outcome, 200, b'{"error":null}')
        case "content_type":
            return replace(answer, content_type=fault.content_type.encode())
    whole = await asyncio.to_thread(lambda: b"".join(answer.body()))
    at = fault.cut_at(len(whole))
    if fault.kind == "malformed_json":
        whole = whole[:at] + b"\x00" + whole[at:]
    elif fault.kind == "short_json":
        whole = whole[:at]
    elif fault.kind == "trailing_junk":
        whole += b'{"error":'
    return replace(answer, head=whole, pieces=None, tail=b"")


async def _send_part(
    answer: Answer, settings: SandboxSettings, packed: bool, fault: Fault, receive: Receive, send: Send
) -> None:
    """Send a part of the body, then hang, hang up, or reset the connection."""
    whole = answer.head
    if packed:
        packer = zlib.compressobj(1, wbits=31)
        whole = packer.compress(whole) + packer.flush()
    if fault.kind != "reset" or fault.after_bytes is not None or fault.after_fraction is not None:
        at = min(fault.cut_at(len(whole)), len(whole))
        await _send_start(answer, packed, None if settings.transfer == "chunked" else len(whole), send)
        if at:
            await send({"type": "http.response.body", "body": whole[:at], "more_body": True})
    if fault.kind == "stall":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_until_gone(receive), fault.seconds)
    await hang_up(receive, send, reset=fault.kind == "reset")


async def hang_up(receive: Receive, send: Send, *, reset: bool) -> None:
    """
    Close the connection under an answer.

    :param reset: with a reset, as a crashed server does
    """
    # ASGI has no word for this: uvicorn's own object behind ``send`` holds the transport.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("only uvicorn's connections can be cut")
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

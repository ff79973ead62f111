"""Responses as they are sent: whole, chunked, compressed, or spoiled by a fault."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from itertools import chain
from typing import get_args

from starlette.types import Receive, Send

from airflow_provider_alloincognito.sandbox.faults import BreakingKind, Fault
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

SMALL = 256 * 1024
_HTML = "<!doctype html><title>502</title><h1>Сервис временно недоступен</h1><p>+7 (916) 123-45-67</p>".encode()


@dataclass(frozen=True, slots=True)
class Response:
    """
    A response before it is sent.

    :param outcome: as in the request log
    :param status: HTTP status
    :param head: the body; or its beginning, if there are blocks
    :param blocks: makes the middle of the body
    :param tail: the end of the body
    :param blocks_length: the length of all blocks, if known
    :param slow: the blocks take long to make
    :param headers: other headers than those of the content
    :param content_type: the header ``Content-Type``; None: the one in the settings
    :param rotation: a token pair was made
    """

    outcome: str
    status: int
    head: bytes
    blocks: Callable[[], Iterator[bytes]] | None = None
    tail: bytes = b""
    blocks_length: int | None = None
    slow: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes | None = None
    rotation: bool = False

    def body(self) -> Iterator[bytes]:
        """Return the body in blocks."""
        if self.blocks is None:
            return iter((self.head,))
        return chain((self.head,), self.blocks(), (self.tail,))

    @property
    def length(self) -> int | None:
        """The body's length, if known."""
        if self.blocks is None:
            return len(self.head)
        return None if self.blocks_length is None else len(self.head) + self.blocks_length + len(self.tail)


def retry_after(value: int | str | None, *, as_date: bool = False) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header ``Retry-After``, or no header for None."""
    if as_date and isinstance(value, int):
        value = formatdate(time.time() + value, usegmt=True)
    return () if value is None else ((b"retry-after", str(value).encode()),)


async def send_response(
    response: Response, settings: SandboxSettings, accepts_gzip: bool, fault: Fault | None, receive: Receive, send: Send
) -> None:
    """
    Send a response.

    :param response: the response
    :param settings: how bodies are sent
    :param accepts_gzip: the client accepts gzip
    :param fault: may break the connection
    """
    gzip = accepts_gzip and settings.gzip
    if fault is not None and fault.kind in get_args(BreakingKind):
        await _send_part(response, settings, gzip, fault, receive, send)
        return
    body = _blocks(response, gzip)
    length = None if gzip else response.length
    first: list[bytes] = []
    if settings.transfer == "chunked":
        length = None
    elif settings.transfer == "content_length" and length is None and not gzip:
        # The first pass only measures, so that a long list need not be in memory.
        length = await asyncio.to_thread(lambda: sum(map(len, response.body())))
    elif length is None or length <= SMALL:
        first, complete = await _take(body, None if settings.transfer == "content_length" else SMALL)
        length = sum(map(len, first)) if complete else None
    await _send_start(response, settings, gzip, length, send)
    if first:
        more = length is None
        await send({"type": "http.response.body", "body": b"".join(first), "more_body": more})
        if not more:
            return
    async for block in body:
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _take(body: AsyncIterator[bytes], enough: int | None) -> tuple[list[bytes], bool]:
    """Take the first blocks of a body, and return whether these are all."""
    first: list[bytes] = []
    size = 0
    async for block in body:
        first.append(block)
        size += len(block)
        if enough is not None and size > enough:
            return first, False
    return first, True


async def _blocks(response: Response, gzip: bool) -> AsyncIterator[bytes]:
    blocks = response.body()
    compressor = zlib.compressobj(1, wbits=31) if gzip else None
    while True:
        block = await asyncio.to_thread(next, blocks, None) if response.slow else next(blocks, None)
        if block is None:
            break
        if compressor is not None:
            block = compressor.compress(block)
        if block:
            yield block
    if compressor is not None:
        yield compressor.flush()


async def _send_start(
    response: Response, settings: SandboxSettings, gzip: bool, length: int | None, send: Send
) -> None:
    content_type = response.content_type or (settings.content_type or "").encode()
    headers = [*([(b"content-type", content_type)] if content_type else []), *response.headers]
    if gzip:
        headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


async def spoil(response: Response, fault: Fault) -> Response:
    """
    Return a response as a fault changes it. One that breaks the connection changes nothing, but is sent from memory.

    :param response: the response
    :param fault: what goes wrong with it
    """
    match fault.kind:
        case "status":
            headers = retry_after(fault.retry_after)
            return Response(response.outcome, fault.status, b'{"error":null,"result":null}', headers=headers)
        case "html":
            return Response(response.outcome, 200, _HTML, content_type=b"text/html; charset=utf-8")
        case "empty_body":
            return Response(response.outcome, 200, b"")
        case "no_result":
            return Response(response.outcome, 200, b'{"error":null}')
        case "content_type":
            return replace(response, content_type=fault.content_type.encode())
    whole = await asyncio.to_thread(lambda: b"".join(response.body()))
    at = fault.cut_at(len(whole))
    if fault.kind == "malformed_json":
        whole = whole[:at] + b"\x01\\x" + whole[at:]
    elif fault.kind == "short_json":
        whole = whole[:at]
    elif fault.kind == "trailing_junk":
        whole += b'{"error":'
    return replace(response, head=whole, blocks=None, tail=b"")


async def _send_part(
    response: Response, settings: SandboxSettings, gzip: bool, fault: Fault, receive: Receive, send: Send
) -> None:
    """Send a part of the body, then wait, close or reset the connection."""
    whole = response.head
    if gzip:
        compressor = zlib.compressobj(1, wbits=31)
        whole = compressor.compress(whole) + compressor.flush()
    if not fault.resets_at_once:
        at = min(fault.cut_at(len(whole)), len(whole))
        await _send_start(response, settings, gzip, None if settings.transfer == "chunked" else len(whole), send)
        if at:
            await send({"type": "http.response.body", "body": whole[:at], "more_body": True})
    if fault.kind == "stall":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_wait_for_disconnect(receive), fault.seconds)
    # ASGI cannot close a connection: uvicorn's own object behind ``send`` holds the transport.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("Only uvicorn's connections can be closed.")
    if fault.kind == "reset":
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    await _wait_for_disconnect(receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

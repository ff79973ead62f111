"""The transport of triggers: carries out the steps of the token logic with ``httpx``. It keeps no rows."""

from __future__ import annotations

import asyncio
import functools
import importlib
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import httpx
import tenacity

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.steps import Join, Lock, Send, Sleep, Step, StoreStep, Unlock
from airflow_provider_alloincognito.api.tokens.stores import TokenStore, perform
from airflow_provider_alloincognito.api.transport import network, retries
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.network import Network
from airflow_provider_alloincognito.api.transport.pace import Pace
from airflow_provider_alloincognito.api.transport.retries import MOST_CONNECTIONS
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.scrubbing import without_locals

BEGUN_AT_ONCE = 4
MOST_IDLE = 16
"""Connections that are kept open: httpcore looks through them in time that grows with the square of their number."""
READ_AT_ONCE = 1 << 14
LONGEST_HELD = 0.005
DECOMPRESSED_AT_ONCE = 1 << 10  # gzip makes up to a thousand times as much of it

InThread = Callable[..., Awaitable[Any]]

# httpcore would import this at the first request, and hold the loop for 60 ms and more.
with suppress(ImportError):
    importlib.import_module("anyio._backends._asyncio")

_parse_url = functools.lru_cache(maxsize=64)(httpx.URL)  # URLs without a query: a server has a handful


class Reader(Protocol):
    """What is given the rows of a response as they arrive."""

    def restart(self) -> None:
        """Forget what an attempt that failed has given."""

    def feed(self, piece: Piece) -> None:
        """Read the next rows, in a few milliseconds: the event loop waits."""


class AsyncClient:
    """
    Sends requests with a valid token. All tasks of one event loop may share it.

    :param settings: the server's.
    :param store: the store of the token pair.
    :param keeper: what this process knows of the pair.
    :param in_thread: runs a blocking call of the store outside of the loop.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        keeper: PairKeeper,
        *,
        in_thread: InThread = asyncio.to_thread,
    ) -> None:
        self.settings = settings
        self._store = store
        self._keeper = keeper
        self._in_thread = in_thread
        self._pace = Pace(settings.requests_per_second)
        self._never = threading.Event()  # a task of an event loop is stopped by being cancelled
        # Before the pool's own queue, whose cost grows with the square of its length.
        self._free_connections = asyncio.Semaphore(MOST_CONNECTIONS)
        # Many requests that begin in one round of the loop would hold it, and so would their responses.
        self._turns = asyncio.Semaphore(BEGUN_AT_ONCE)
        self._network = network.resolve(settings)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.timeout, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=MOST_IDLE),
            verify=self._network.tls,
            proxy=_proxy(self._network),
            trust_env=False,
            # What other compressions make of a kilobyte has no bound.
            headers={"Accept-Encoding": "gzip, deflate"},
            follow_redirects=False,
            event_hooks={"response": [_prepare_response]},
        )

    def derive_key(self, purpose: bytes) -> bytes:
        """As :meth:`PairKeeper.derive_key`."""
        return self._keeper.derive_key(purpose)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def head(self, request: ApiRequest, *, deadline: float = math.inf) -> AnswerHead:
        """
        Send a request and read the head of the response; the rest is not read.

        :param request: the request.
        :param deadline: monotonic seconds at which the response is no longer needed.
        :raises AlloincognitoError: if the response is neither a success nor "not ready yet".
        """
        return await self._answer(request, deadline, None)

    async def read(self, request: ApiRequest, reader: Reader, *, deadline: float = math.inf) -> AnswerHead:
        """
        Send a request and read all of the response. If the connection breaks, the request is sent again.

        :param request: the request.
        :param reader: gets the rows, none of which is kept here.
        :param deadline: monotonic seconds at which the response is no longer needed.
        :raises AlloincognitoError: if the response is neither a success nor "not ready yet", or is damaged.
        """
        return await self._answer(request, deadline, reader)

    async def _answer(self, request: ApiRequest, deadline: float, reader: Reader | None) -> AnswerHead:
        with without_locals():
            answer = await self._run(request, Stop(self._never, deadline), reader)
            verdict.raise_for_error(request.method, answer, self.settings, self._keeper.secrets)
            return answer

    async def _run(self, request: ApiRequest, stop: Stop, reader: Reader | None) -> AnswerHead:
        """Drive the token logic."""
        flow = self._keeper.authorised(request, stop.deadline)
        locked = False
        try:
            step: Step = next(flow)
            while True:
                locked = (locked or isinstance(step, Lock)) and not isinstance(step, Unlock)
                try:
                    outcome = await self._do(step, stop, reader)
                except AlloincognitoError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()
            if locked:
                await self._in_thread(perform, self._store, Unlock())

    async def _do(self, step: Step, stop: Stop, reader: Reader | None) -> Any:
        match step:
            case Send():
                reader = None if step.is_token_call else reader
                return await self._send(step, stop.until(step.deadline), reader)
            case Sleep(seconds):
                return await asyncio.sleep(min(seconds, max(0.0, stop.seconds_left)))
            case Join(flight, timeout):
                return await _join(flight, min(timeout, max(0.0, stop.seconds_left)))
            case _:
                return await self._in_store(step)

    async def _in_store(self, step: StoreStep) -> Any:
        running = asyncio.ensure_future(self._in_thread(perform, self._store, step))
        try:
            await asyncio.wait([running])  # which does not cancel it
        except asyncio.CancelledError:
            # A thread cannot be cancelled; a lock that it takes after it was given back would be nobody's.
            await asyncio.wait([running])
            running.exception()  # asyncio would warn if nobody asked for it
            raise
        return running.result()

    async def _send(self, send: Send, stop: Stop, reader: Reader | None) -> AnswerHead:
        began = self._pace.now()
        try:
            return await self._send_once(send, stop, reader)
        except AlloincognitoError as error:
            if send.is_token_call:
                raise
            attempt = retries.after(error, functools.partial(self._send_once, send, stop, reader))

        async def next_attempt() -> AnswerHead:  # tenacity awaits nothing else
            return await attempt()

        policy = retries.policy(self.settings, self._pace, stop, began)
        return await tenacity.AsyncRetrying(**policy)(next_attempt)

    async def _send_once(self, send: Send, stop: Stop, reader: Reader | None) -> AnswerHead:
        method = send.request.method
        turn = self._pace.turn(is_urgent=send.is_token_call)
        while wait := turn.seconds_left():
            retries.check_time(self._pace, method, wait, stop)
            await asyncio.sleep(wait)
        async with self._connection(send):
            seconds = retries.seconds_for(method, self.settings, stop)
            head = await self._exchange_within(seconds, send, reader)
        retries.note_response(self.settings, self._pace, turn, head)
        return head

    @asynccontextmanager
    async def _connection(self, send: Send) -> AsyncIterator[None]:
        """Wait until a connection is free, and for a turn. Token calls need not: others wait for them."""
        if send.is_token_call:
            yield
            return
        async with self._free_connections:
            async with self._turns:
                await asyncio.sleep(0)
            yield

    async def _exchange_within(self, seconds: float, send: Send, reader: Reader | None) -> AnswerHead:
        method = send.request.method
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(send, reader)
        except TimeoutError:
            raise retries.slow_error(method, seconds, self.settings) from None
        except (httpx.HTTPError, OSError) as error:  # OSError: TLS errors that httpx lets through
            connected = not isinstance(error, httpx.ConnectError | httpx.ProxyError)
            raise no_response_error(method, self._network, error, connected=connected) from None

    async def _exchange(self, send: Send, reader: Reader | None) -> AnswerHead:
        request = send.request
        async with self._http.stream(
            request.verb,
            _parse_url(request.url),
            params=request.params,
            json=request.body,
            data=request.form,
            headers={"Authorization": f"Bearer {send.token}"},
        ) as response:
            return await self._read(response, send, reader)

    async def _read(self, response: httpx.Response, send: Send, reader: Reader | None) -> AnswerHead:
        """Read the head of a response; the rest too if there is a reader for it."""
        method, status = send.request.method, response.status_code
        head = AnswerHead(method, status, response.headers, self.settings, is_small=send.is_token_call)
        response.stream = _SmallChunks(response.stream)
        if reader is not None:
            reader.restart()
        try:
            async for chunk in response.aiter_bytes(READ_AT_ONCE):
                head.feed(chunk)
                if reader is not None:
                    _hand_over(head, reader)
                if head.head_complete and (reader is None or head.is_small):
                    return head
                await asyncio.sleep(0)
        except (httpx.HTTPError, OSError) as error:
            raise head.truncated(error) from None
        head.finish()
        if reader is not None:
            _hand_over(head, reader)
        return head


def _hand_over(head: AnswerHead, reader: Reader) -> None:
    pieces, head.pieces = head.pieces, []
    for piece in pieces:
        reader.feed(piece)


class _SmallChunks(httpx.AsyncByteStream):
    """
    A body in chunks of which none is decompressed to more than 1 MB: the loop is not held, nor the memory filled.

    What arrives at once may be thousands of chunks of one byte, so the loop gets its turn between them.

    :param stream: the body as it arrives.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        began = time.monotonic()
        async for chunk in self._stream:
            if time.monotonic() - began > LONGEST_HELD:
                await asyncio.sleep(0)
                began = time.monotonic()
            for start in range(0, len(chunk), DECOMPRESSED_AT_ONCE):
                yield chunk[start : start + DECOMPRESSED_AT_ONCE]

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _join(flight: Future[TokenPair], timeout: float) -> None:
    waited = asyncio.wrap_future(flight)
    # The token logic handles its error; asyncio warns unless somebody asks for it, even long after the wait.
    waited.add_done_callback(lambda done: done.cancelled() or done.exception())
    # Not wait_for, which would cancel the flight for all who wait for it.
    await asyncio.wait([waited], timeout=timeout)


def _proxy(reached: Network) -> httpx.Proxy | None:
    proxy = reached.proxy
    if proxy is None:
        return None
    return httpx.Proxy(proxy.url, headers=proxy.headers, ssl_context=reached.tls if proxy.has_tls else None)


async def _prepare_response(response: httpx.Response) -> None:
    # httpx parses the target of a redirect that it does not follow, and fails if it is not a URL.
    response.headers.pop("Location", None)
    if "Content-Encoding" in response.headers:  # RFC 9110 has two names for gzip, httpx one
        response.headers["Content-Encoding"] = response.headers["Content-Encoding"].lower().replace("x-gzip", "gzip")
    if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        raise httpx.ProxyError(str(response.status_code))

"""The transport of triggers: carries out the steps of the token logic with ``httpx``. It reads only heads."""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import httpx
import tenacity

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.api.tokens.steps import Join, Lock, Send, Sleep, Step, StoreStep, Unlock
from airflow_provider_alloincognito.api.tokens.stores import TokenStore, perform
from airflow_provider_alloincognito.api.transport import retries
from airflow_provider_alloincognito.api.transport.retries import MOST_CONNECTIONS
from airflow_provider_alloincognito.errors import AlloincognitoConnectionError, AlloincognitoError
from airflow_provider_alloincognito.scrubbing import without_locals

READ_AT_ONCE = 1 << 14
DECOMPRESSED_AT_ONCE = 1 << 10  # gzip makes up to a thousand times as much of it

InThread = Callable[..., Awaitable[Any]]

_parse_url = functools.lru_cache(maxsize=64)(httpx.URL)  # URLs without a query: a server has a handful


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
        self._rate = retries.RateLimit(settings.requests_per_second)
        # Before the pool's own queue, whose cost grows with the square of its length.
        self._free_connections = asyncio.Semaphore(MOST_CONNECTIONS)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.timeout, pool=None),
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS),
            verify=_tls(settings.verify),
            mounts=_mounts(settings),
            # What other compressions make of a kilobyte has no bound.
            headers={"Accept-Encoding": "gzip, deflate"},
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def head(self, request: ApiRequest) -> AnswerHead:
        """
        Send a request and read the head of the response; the rest is not read.

        :raises AlloincognitoError: if the response is neither a success nor "not ready yet".
        """
        with without_locals():
            answer = await self._run(request)
            verdict.raise_for_error(request.method, answer, self.settings, self._keeper.secrets)
            return answer

    async def _run(self, request: ApiRequest) -> AnswerHead:
        """Drive the token logic."""
        flow = self._keeper.authorised(request)
        locked = False
        try:
            step: Step = next(flow)
            while True:
                locked = (locked or isinstance(step, Lock)) and not isinstance(step, Unlock)
                try:
                    outcome = await self._do(step)
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

    async def _do(self, step: Step) -> Any:
        match step:
            case Send():
                return await self._send(step)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Join(flight, timeout):
                return await _join(flight, timeout)
            case _:
                return await self._in_store(step)

    async def _in_store(self, step: StoreStep) -> Any:
        running = asyncio.ensure_future(self._in_thread(perform, self._store, step))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread cannot be cancelled; a lock that it takes after it was given back would be nobody's.
            await asyncio.wait([running])
            raise

    async def _send(self, send: Send) -> AnswerHead:
        failures: list[AlloincognitoConnectionError] = []
        # tenacity costs much beside a request that succeeds; of a token call it also times the first attempt.
        if not send.is_token_call:
            try:
                return await self._send_once(send)
            except AlloincognitoConnectionError as error:
                failures.append(error)

        async def attempt() -> AnswerHead:
            if failures:  # of the attempt made above
                raise failures.pop()
            return await self._send_once(send)

        return await tenacity.AsyncRetrying(**retries.policy(self.settings, is_token_call=send.is_token_call))(attempt)

    async def _send_once(self, send: Send) -> AnswerHead:
        if wait := self._rate.reserve():
            await asyncio.sleep(wait)
        request = send.request
        try:
            async with (
                self._free_connections,
                self._http.stream(
                    request.verb,
                    _parse_url(request.url),
                    params=request.params,
                    json=request.body,
                    headers={"Authorization": f"Bearer {send.token}"},
                ) as response,
            ):
                if response.status_code in retries.BUSY_STATUSES:
                    raise retries.busy_error(request.method, response.status_code, response.headers)
                return await self._read_head(response, send)
        except httpx.TransportError as error:
            raise retries.no_response_error(request.method, self.settings.server, error) from None

    async def _read_head(self, response: httpx.Response, send: Send) -> AnswerHead:
        method, status = send.request.method, response.status_code
        head = AnswerHead(method, status, response.headers, self.settings, is_small=send.is_token_call)
        response.stream = _SmallChunks(response.stream)
        try:
            async for chunk in response.aiter_bytes(READ_AT_ONCE):
                head.feed(chunk)
                if head.head_complete:
                    return head
                await asyncio.sleep(0)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise head.truncated(error) from None
        head.finish()
        return head


class _SmallChunks(httpx.AsyncByteStream):
    """
    A body in chunks of which none is decompressed to more than 1 MB: the loop is not held, nor the memory filled.

    :param stream: the body as it arrives.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for start in range(0, len(chunk), DECOMPRESSED_AT_ONCE):
                yield chunk[start : start + DECOMPRESSED_AT_ONCE]

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _join(flight: Future[TokenPair], timeout: float) -> None:
    # Not wait_for, which would cancel the flight for all who wait for it.
    done, _ = await asyncio.wait([asyncio.wrap_future(flight)], timeout=timeout)
    for future in done:
        future.exception()  # the token logic handles it; asyncio warns unless it is retrieved here


def _tls(verify: bool | str) -> ssl.SSLContext | bool:
    """Choose the CA bundle as ``requests`` does, so that triggers and tasks trust the same servers."""
    if verify is False:
        return False
    bundle = verify if isinstance(verify, str) else os.environ.get("REQUESTS_CA_BUNDLE")
    if not bundle:
        return True
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def _mounts(settings: Settings) -> dict[str, httpx.AsyncBaseTransport | None]:
    return {
        f"{scheme}://": httpx.AsyncHTTPTransport(proxy=proxy, verify=_tls(settings.verify))
        for scheme, proxy in settings.proxies.items()
    }

"""The transport of tasks: does over ``requests`` what the token logic wants done."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import requests
import requests.adapters
import tenacity
import urllib3

from airflow_provider_alloincognito.api import retries, verdict
from airflow_provider_alloincognito.api.envelope import Envelope, EnvelopeReader, Piece
from airflow_provider_alloincognito.api.errors import AlloincognitoError, AlloincognitoResponseError
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.pair_keeper import PairKeeper
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.steps import Join, Lock, Send, Sleep, Step, Unlock
from airflow_provider_alloincognito.api.token_store import TokenStore, perform

CHUNK = 1 << 18
LARGEST_SMALL_BODY = 1 << 20
MOST_CONNECTIONS = 64
CUT_SHORT = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class BearerAuth(requests.auth.AuthBase):
    """
    Sets the token's header; being an ``auth``, it also keeps a ``.netrc`` from setting another.

    :param token: any of the three tokens.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """
    Sends requests with a living token. Threads may share it.

    :param settings: the stand's.
    :param store: where the pair is kept.
    :param keeper: the process' own view of the pair.
    """

    def __init__(self, settings: Settings, store: TokenStore, keeper: PairKeeper) -> None:
        self.settings = settings
        self._store = store
        self._keeper = keeper
        self._rate = retries.RateLimit(settings.requests_per_second)
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=MOST_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def open(self, request: ApiRequest) -> StreamedAnswer:
        """
        Send a request, and give its answer as soon as its envelope can be judged.

        :raises AlloincognitoError: for whatever the answer is if it is not a good one, or a pending one.
        """
        answer = self._run(request)
        try:
            verdict.raise_for_error(request.method, answer, self.settings, self._secrets())
        except BaseException:
            answer.close()
            raise
        return answer

    def _secrets(self) -> tuple[str, ...]:
        pair = self._keeper.pair
        tokens = (pair.access_token, pair.refresh_token) if pair is not None else ()
        return (self._keeper.authorization_token, *tokens)

    def _run(self, request: ApiRequest) -> StreamedAnswer:
        """Drive the token logic."""
        flow = self._keeper.authorised(request)
        answer: StreamedAnswer | None = None
        locked = False
        try:
            step: Step = next(flow)
            while True:
                if isinstance(step, Send) and answer is not None:
                    answer.close()  # the one before was rejected
                locked = (locked or isinstance(step, Lock)) and not isinstance(step, Unlock)
                try:
                    outcome = self._do(step)
                except AlloincognitoError as error:
                    step = flow.throw(error)
                else:
                    answer = outcome if isinstance(outcome, StreamedAnswer) else answer
                    step = flow.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except BaseException:
            if answer is not None:
                answer.close()
            raise
        finally:
            flow.close()
            if locked:
                self._store.unlock()

    def _do(self, step: Step) -> Any:
        match step:
            case Send():
                return self.send(step)
            case Sleep(seconds):
                return time.sleep(seconds)
            case Join(flight, timeout):
                return concurrent.futures.wait([flight], timeout)
            case _:
                return perform(self._store, step)

    def send(self, send: Send) -> StreamedAnswer:
        """Send with that very token, and give the answer whatever it is."""
        retrying = tenacity.Retrying(**retries.policy(self.settings, is_token_call=send.is_token_call))
        return retrying(self._send_once, send)

    def _send_once(self, send: Send) -> StreamedAnswer:
        time.sleep(self._rate.reserve())
        settings, request = self.settings, send.request
        try:
            response = self._session.request(
                request.verb,
                request.url,
                params=request.params,
                json=request.body,
                auth=BearerAuth(send.token),
                timeout=settings.timeout,
                verify=settings.verify,
                proxies=settings.proxies,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise retries.no_answer(request.method, settings.stand, error) from None
        if response.status_code in retries.BUSY_STATUSES:
            response.close()
            raise retries.busy(request.method, response.status_code, response.headers)
        answer = StreamedAnswer(request.method, response, settings, self._secrets())
        try:
            answer.read_head(whole=send.is_token_call or response.status_code != requests.codes.ok)
        except BaseException:
            answer.close()
            raise
        return answer


class StreamedAnswer:
    """
    One answer, read as it arrives. A context manager: leaving it early closes the connection.

    :param method: the API's method that was asked.
    :param response: with its body still to come.
    :param settings: the stand's.
    :param secrets: tokens to keep out of errors.
    """

    def __init__(self, method: str, response: requests.Response, settings: Settings, secrets: tuple[str, ...]) -> None:
        self.method = method
        self.status = response.status_code
        self.body = b""
        self._response = response
        self._settings = settings
        self._secrets = secrets
        self._reader: EnvelopeReader | None = EnvelopeReader(max_bytes=settings.max_response_bytes or None)
        self._chunks = self._chunks_of(response)
        self._head: list[Piece] = []
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back, or close it if the body has not ended."""
        self._response.close()

    @property
    def server_time(self) -> datetime | None:
        """The stand's clock, from the header ``Date``."""
        try:
            moment = parsedate_to_datetime(self._response.headers["Date"])
        except (KeyError, ValueError):
            return None
        return moment if moment.tzinfo else None

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body is none."""
        return self._reader.envelope if self._reader is not None else None

    @property
    def is_pending(self) -> bool:
        """Whether the answer says "not ready yet"."""
        return verdict.is_pending(self, self._settings)

    def read_head(self, *, whole: bool) -> None:
        """
        Read until the envelope can be judged.

        :param whole: read all of the body, which is small, and do not insist on its being an envelope.
        """
        if whole:
            self._read_small_body()
            return
        assert self._reader is not None
        while not self._reader.opened:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._head += self._finish(self._reader)
                break
            self._head += self._reader.feed(chunk)

    def _read_small_body(self) -> None:
        assert self._reader is not None
        for chunk in self._chunks:
            self.body += chunk
            if len(self.body) > LARGEST_SMALL_BODY:
                break
        try:
            self._reader.feed(self.body)
            self._reader.finish()
        except AlloincognitoResponseError:
            self._reader = None

    def pieces(self) -> Iterator[Piece]:
        """
        Rows and the bytes of a recording as they arrive, once.

        :raises AlloincognitoResponseError: if the body is cut off or is not what the API promises.
        :raises AlloincognitoApiError: if an error follows what came.
        """
        assert self._reader is not None
        yield from self._head
        self._head = []
        for chunk in self._chunks:
            yield from self._reader.feed(chunk)
        if not self._ended:
            yield from self._finish(self._reader)
        if verdict.has_error(self._reader.envelope):
            verdict.raise_api_error(self.method, self._reader.envelope, self._secrets)

    def _finish(self, reader: EnvelopeReader) -> list[Piece]:
        self._ended = True
        pieces = reader.finish()
        self.close()
        return pieces

    def _chunks_of(self, response: requests.Response) -> Iterator[bytes]:
        chunks = response.iter_content(CHUNK)
        while True:
            try:
                chunk = next(chunks, None)
            except CUT_SHORT as error:
                raise AlloincognitoResponseError(
                    f"The answer to {self.method} was cut off half-way ({type(error).__name__}); nothing of it is kept."
                ) from None
            if chunk is None:
                return
            yield chunk

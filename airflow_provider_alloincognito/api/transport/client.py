"""The transport of tasks: does over ``requests`` what the token logic wants done."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import requests
import requests.adapters
import tenacity
import urllib3

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.envelope import CHUNK, Piece
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.keeper import PairKeeper
from airflow_provider_alloincognito.api.tokens.steps import Join, Lock, Send, Sleep, Step, Unlock
from airflow_provider_alloincognito.api.tokens.stores import TokenStore, perform
from airflow_provider_alloincognito.api.transport import retries
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoTruncatedError

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

    :param settings: the server's.
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
        # Proxies and CA bundles of the environment: asked for each request, they take a sixth of its time.
        self._surroundings = self._session.merge_environment_settings(
            settings.server, dict(settings.proxies), True, settings.verify, None
        )
        self._session.trust_env = False

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
            verdict.raise_for_error(request.method, answer, self.settings, self._keeper.secrets)
        except BaseException:
            answer.close()
            raise
        return answer

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
        if wait := self._rate.reserve():
            time.sleep(wait)
        settings, request = self.settings, send.request
        try:
            response = self._session.request(
                request.verb,
                request.url,
                params=request.params,
                json=request.body,
                auth=BearerAuth(send.token),
                timeout=settings.timeout,
                allow_redirects=False,
                **self._surroundings,
            )
        except requests.RequestException as error:
            raise retries.no_answer(request.method, settings.server, error) from None
        if response.status_code in retries.BUSY_STATUSES:
            response.close()
            raise retries.busy(request.method, response.status_code, response.headers)
        answer = StreamedAnswer(request.method, response, settings, self._keeper.secrets, is_small=send.is_token_call)
        try:
            answer.read_head()
        except BaseException:
            answer.close()
            raise
        return answer


class StreamedAnswer(AnswerHead):
    """
    One answer, read as it arrives. A context manager: leaving it early closes the connection.

    :param method: the API's method that was asked.
    :param response: with its body still to come.
    :param settings: the server's.
    :param secrets: tokens to keep out of errors.
    :param is_small: read all of the body at once.
    """

    def __init__(
        self,
        method: str,
        response: requests.Response,
        settings: Settings,
        secrets: tuple[str, ...],
        *,
        is_small: bool,
    ) -> None:
        super().__init__(method, response.status_code, response.headers, settings, is_small=is_small)
        self._response = response
        self._secrets = secrets
        self._read_some = response.raw.read1  # the first chunk is whatever has come: a hash in it outlives a cut
        self._size = CHUNK

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

    def read_head(self) -> None:
        """Read until the envelope can be judged."""
        while self._read():
            if self.can_be_judged:
                return
        self._end()

    def stream(self) -> Iterator[Piece]:
        """
        Rows and the bytes of a recording as they arrive, once.

        :raises AlloincognitoResponseError: if the body is cut off or is not what the API promises.
        :raises AlloincognitoApiError: if an error follows what came.
        """
        yield from self._taken()
        while not self.ended and self._read():
            yield from self._taken()
        if not self.ended:
            self._end()
            yield from self._taken()
        if self.envelope is not None and verdict.has_error(self.envelope):
            verdict.raise_api_error(self.method, self.envelope, self._secrets)

    def _taken(self) -> list[Piece]:
        pieces, self.pieces = self.pieces, []
        return pieces

    def _end(self) -> None:
        self.end()
        self.close()

    def _read(self) -> bool:
        """Read the next chunk, and keep nothing of it but what it held; chunks grow with the body."""
        try:
            chunk = self._read_some(self._size, decode_content=True)
        except CUT_SHORT as error:
            raise AlloincognitoTruncatedError(
                f"The answer to {self.method} was cut off half-way ({type(error).__name__}); nothing of it is kept."
            ) from None
        if chunk:
            self.take(chunk)
            self._read_some = self._response.raw.read
            self._size = min(2 * self._size, self.best_chunk)
        return bool(chunk)

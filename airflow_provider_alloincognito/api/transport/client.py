"""The transport of tasks: carries out the steps of the token logic with ``requests``."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import requests
import tenacity
import urllib3

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.envelope import CHUNK
from airflow_provider_alloincognito.api.answer.head import AnswerHead
from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.steps import Join, Lock, Send, Sleep, Step, Unlock
from airflow_provider_alloincognito.api.tokens.stores import TokenStore, perform
from airflow_provider_alloincognito.api.transport import network, retries
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.in_flight import Flight, InFlight
from airflow_provider_alloincognito.api.transport.pace import Pace
from airflow_provider_alloincognito.api.transport.session import ServerSession
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.api.transport.tally import Tally
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoStoppedError
from airflow_provider_alloincognito.scrubbing import without_locals

# Freed at once. From then on glibc keeps freed buffers of up to this size, where it would return each to the kernel and
# get it back with a page fault for every 4 KB: a fifth of the CPU time of a first call list (`benchmarks/calls`).
bytes(8 << 20)

CLOSED_FIRST = 1.0  # where a response takes too long in all, the connection is closed before a read times out
READ_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Client:
    """
    Sends requests with a valid token. Threads may share it.

    :param settings: the server's.
    :param store: the store of the token pair.
    :param keeper: what this process knows of the pair.
    :param stopped: see :attr:`stopped`.
    """

    def __init__(
        self, settings: Settings, store: TokenStore, keeper: PairKeeper, stopped: threading.Event | None = None
    ) -> None:
        self.settings = settings
        self.stopped = stopped or threading.Event()
        """Set it to end all requests and waits at once."""
        self.tally = Tally()
        """What it has sent and received so far, and how long it waited."""
        self._store = store
        self._keeper = keeper
        self._pace = Pace(settings.requests_per_second)
        self._in_flight = InFlight(settings, self.stopped)
        self._network = network.resolve(settings)
        self._session = ServerSession(self._network, retries.MOST_CONNECTIONS)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    @without_locals()
    def open(self, request: ApiRequest, *, deadline: float = math.inf) -> StreamedAnswer:
        """
        Send a request, and return the response as soon as its head is complete.

        :param request: the request.
        :param deadline: monotonic seconds at which the response is no longer needed.
        :raises AlloincognitoError: if the response is neither a success nor "not ready yet".
        :raises AlloincognitoStoppedError: if ``stopped`` is set.
        """
        answer = self._run(request, Stop(self.stopped, deadline))
        try:
            verdict.raise_for_error(request.method, answer, self.settings, self._keeper.secrets)
        except BaseException:
            answer.close()
            raise
        return answer

    def _run(self, request: ApiRequest, stop: Stop) -> StreamedAnswer:
        """Drive the token logic."""
        flow = self._keeper.authorised(request, stop.deadline)
        answer: StreamedAnswer | None = None
        locked = False
        try:
            step: Step = next(flow)
            while True:
                if isinstance(step, Send) and answer is not None:
                    answer.close()  # the one before was rejected
                locked = (locked or isinstance(step, Lock)) and not isinstance(step, Unlock)
                try:
                    outcome = self._do(step, stop)
                except AlloincognitoStoppedError:
                    raise
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
                perform(self._store, Unlock())

    def _do(self, step: Step, stop: Stop) -> Any:
        match step:
            case Send():
                return self.send(step, stop)
            case Sleep(seconds):
                with self.tally.waiting("token pair"):
                    return stop.sleep(seconds)
            case Join(flight, timeout):
                with self.tally.waiting("token pair"):
                    return stop.join(flight, timeout)
            case _:
                return perform(self._store, step)

    def send(self, send: Send, stop: Stop | None = None) -> StreamedAnswer:
        """Send with the step's own token, and return the response, whatever its status."""
        stop = (stop or Stop(self.stopped)).until(send.deadline)
        began = self._pace.now()
        try:
            return self._send_once(send, stop)
        except AlloincognitoError as error:
            if send.is_token_call:
                raise
            attempt = retries.after(error, partial(self._send_once, send, stop))
        policy = retries.policy(self.settings, self._pace, stop, began)
        return tenacity.Retrying(**policy, sleep=partial(self._wait_to_retry, stop=stop))(attempt)

    def _wait_to_retry(self, seconds: float, stop: Stop) -> None:
        self.tally.count(retried=1)
        with self.tally.waiting("pauses"):
            stop.sleep(seconds)

    def _send_once(self, send: Send, stop: Stop) -> StreamedAnswer:
        turn = self._pace.turn(is_urgent=send.is_token_call)
        while wait := turn.seconds_left():
            retries.check_time(self._pace, send.request.method, wait, stop)
            with self.tally.waiting("pauses"):
                stop.sleep(wait)
        stop.check()
        answer = self._respond(send, retries.seconds_for(send.request.method, self.settings, stop))
        try:
            retries.note_response(self.settings, self._pace, turn, answer)
            answer.extend()
        except BaseException:
            answer.close()
            raise
        return answer

    def _respond(self, send: Send, seconds: float) -> StreamedAnswer:
        """Return the response once its head is complete."""
        with self.tally.waiting("responses"):
            answer = self._request(send, seconds)
            try:
                answer.read_head()
            except BaseException:
                answer.close()
                raise
        return answer

    def _request(self, send: Send, seconds: float) -> StreamedAnswer:
        request = send.request
        self.tally.count(requests=1)
        flight = self._in_flight.begin(request.method, seconds)
        try:
            with flight.sending():
                timeout = min(self.settings.timeout, seconds + CLOSED_FIRST)
                response = self._session.open(request, send.token, timeout)
        except READ_ERRORS as error:
            flight.end()
            self._session.close()  # the server may have closed other connections, too, that were kept open
            failure = no_response_error(request.method, self._network, error, connected=flight.is_connected)
            raise flight.explain(failure) from None
        except BaseException:
            flight.end()
            raise
        secrets = self._keeper.secrets
        is_small = send.is_token_call
        return StreamedAnswer(request.method, response, self.settings, secrets, flight, self.tally, is_small=is_small)


class StreamedAnswer(AnswerHead):
    """
    One response, read as it arrives.

    :param method: the API's method, for errors.
    :param response: the response, with its body still to come.
    :param settings: the server's.
    :param secrets: tokens to remove from errors.
    :param flight: the request's, until the response is closed.
    :param tally: counts its bytes.
    :param is_small: read all of the body at once.
    """

    def __init__(
        self,
        method: str,
        response: requests.Response,
        settings: Settings,
        secrets: tuple[str, ...],
        flight: Flight,
        tally: Tally,
        *,
        is_small: bool,
    ) -> None:
        super().__init__(method, response.status_code, response.headers, settings, is_small=is_small)
        self._response = response
        weakref.finalize(self, flight.abandon)
        self._secrets = secrets
        self._flight = flight
        self._tally = tally
        # The first chunk is whatever has arrived: its requestHash is known even if the connection breaks then.
        self._read_raw = response.raw.read1
        self._chunk_size = CHUNK

    def close(self) -> None:
        """Return the connection to the pool, or close it if the body has not ended."""
        self._flight.end()
        self._response.close()

    def close_idle_connections(self) -> None:
        """Close those that the client keeps open for its next requests."""
        self._response.connection.close()

    def extend(self) -> None:
        """Let the rest of the response take its time, whatever deadline its head had to meet."""
        self._flight.extend(self.settings.response_timeout, self.settings.timeout)

    def read_head(self) -> None:
        """Read until the head is complete."""
        while self._read_chunk():
            if self.head_complete:
                return
        self._finish()

    def stream(self) -> Iterator[Piece]:
        """
        Yield rows or the bytes of a recording as they arrive. Works once.

        :raises AlloincognitoResponseError: if the body is truncated or is not what the API describes.
        :raises AlloincognitoApiError: if an error follows the rows.
        """
        with without_locals():
            yield from self._pop_pieces()
            while not self.ended and self._read_chunk():
                yield from self._pop_pieces()
            if not self.ended:
                self._finish()
                yield from self._pop_pieces()
            if self.envelope is not None and verdict.has_error(self.envelope, self.settings):
                verdict.raise_api_error(self.method, self.envelope, self.settings, self._secrets)

    def _pop_pieces(self) -> list[Piece]:
        pieces, self.pieces = self.pieces, []
        return pieces

    def _finish(self) -> None:
        self.finish()
        self.close()

    def _read_chunk(self) -> bool:
        """Read the next chunk and return whether there was one; chunks grow with the body."""
        try:
            chunk = self._read_raw(self._chunk_size, decode_content=True)
        except (*READ_ERRORS, ValueError) as error:  # ValueError: chunks of a size below 0
            raise self._flight.explain(self.truncated(error)) from None
        if chunk:
            self._tally.count(received=len(chunk))
            self.feed(chunk)
            self._read_raw = self._response.raw.read
            self._chunk_size = min(2 * self._chunk_size, self.best_chunk)
        elif self._flight.is_aborted:
            raise self._flight.explain(self.truncated(EOFError()))
        return bool(chunk)

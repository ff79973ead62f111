"""The provider's own client with a stopwatch, and the log that each process keeps of its requests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.stop import Stop
from airflow_provider_alloincognito.errors import AlloincognitoError

# A request that is replayed more often, or waits longer, has failed.
MOST_REPLAYS = 8
LONGEST_WAIT = 30.0
UNUSED_HASH = "cm90YXRpb24tYmVuY2htYXJr"
UNKNOWN_HASH_CODE = "1000"
"""The sandbox's ``errorCode`` for that hash: the response to an accepted token."""


@dataclass
class Request:
    """
    The outcome of one request.

    :param wait: seconds beyond those of the request that was accepted in the end.
    :param rejections: how often it was rejected before.
    :param pair: the id of the pair that it was accepted with.
    :param error: the class of the error, if it failed.
    """

    wait: float
    rejections: int
    pair: str | None
    error: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it ended in an error, was replayed more than 8 times, or waited for more than 30 s."""
        return self.error is not None or self.rejections > MOST_REPLAYS or self.wait > LONGEST_WAIT


class MeasuredClient(Client):
    """Counts rejections, and times the request that was accepted."""

    on_token_call: Callable[[], None] | None = None
    """Called when this process is about to make a pair."""
    rejections = 0
    accepted_in = 0.0

    def send(self, send: Send, stop: Stop | None = None) -> Any:
        """Send, and measure."""
        if send.is_token_call and self.on_token_call is not None:
            self.on_token_call()
        began = time.monotonic()
        response = super().send(send, stop)
        if not send.is_token_call:
            self.accepted_in = time.monotonic() - began
            self.rejections += verdict.token_is_rejected(response, self.settings)
        return response

    def request(self) -> Request:
        """Make one small request and return its outcome."""
        self.rejections, self.accepted_in = 0, 0.0
        began = time.monotonic()
        error = None
        try:
            self.open(methods.request_result(self.settings, UNUSED_HASH)).close()
        except AlloincognitoError as raised:
            if str(getattr(raised, "code", None)) != UNKNOWN_HASH_CODE:
                error = type(raised).__name__
        wait = time.monotonic() - began - self.accepted_in
        pair = self._keeper.pair
        return Request(max(0.0, wait), self.rejections, pair.id if pair and not error else None, error)


class RequestLog:
    """
    A file with a line for each request. Each is written at once, so a killed process loses at most one.

    :param folder: of the logs of all processes.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / f"requests-{os.getpid()}-{time.monotonic_ns()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, request: Request) -> None:
        """Write a request's outcome."""
        os.write(self._file, json.dumps(asdict(request)).encode() + b"\n")


def read_request_logs(folder: Path) -> Iterator[Request]:
    """Yield the outcomes of all processes' requests."""
    for path in sorted(folder.glob("requests-*.jsonl")):
        for line in path.read_text().splitlines():
            yield Request(**json.loads(line))


def client_settings(server: str, *, store_seconds: float, call_seconds: float) -> Settings:
    """Return the settings of the benchmark's clients."""
    return Settings(
        server=server, pair_store_seconds=store_seconds, pair_request_seconds=call_seconds, timeout=30.0, retries=2
    )

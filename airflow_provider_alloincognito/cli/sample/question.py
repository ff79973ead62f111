"""Ask for few calls: the last hour, or longer periods until there are enough."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.errors import (
    AlloincognitoQueryError,
    AlloincognitoResponseError,
    AlloincognitoWaitTimeout,
)

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.answer.envelope import Envelope
    from airflow_provider_alloincognito.api.settings import Settings
    from airflow_provider_alloincognito.api.transport.client import Client, StreamedAnswer
    from airflow_provider_alloincognito.cli.output import Output

GROWING = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 7 * 24, 31 * 24))
Period = tuple[datetime, datetime]
ENOUGH = 50
"""At night few calls are made, and a field may be empty in all of them."""
DAY = timedelta(days=1)
LONGEST_WAIT = 120.0
POLL_INTERVAL = 2.0


class NotReady(AlloincognitoResponseError):
    """The answer has no rows: it is not ready yet, or has them elsewhere."""


@dataclass(frozen=True)
class Asked:
    """
    A question and its response.

    :param period: what was asked for, aware.
    :param rows: the first of the rows.
    :param is_cut: there are more rows.
    :param envelope: the rest of the response.
    :param server_time: the server's clock.
    :param head_seconds: until the first row had arrived.
    :param seconds: until all rows had.
    """

    period: Period
    rows: list[dict[str, Any]] = field(repr=False)
    is_cut: bool
    envelope: Envelope | None
    server_time: datetime | None
    head_seconds: float
    seconds: float


def ask(client: Client, period: Period, most_rows: int, *, waits: bool = True) -> Asked:
    """
    List the calls of a period.

    :param client: of the Connection.
    :param period: first moment, and the moment after the last.
    :param most_rows: read no more rows than these.
    :param waits: whether to wait for rows that are not ready yet.
    :raises AlloincognitoResponseError: if there is not an answer of rows.
    :raises NotReady: if they are not ready yet, and ``waits`` is False.
    :raises AlloincognitoError: if there is no answer.
    """
    began = time.monotonic()
    answer = client.open(_request(client, period))
    try:
        answer = _ready(client, answer, waits=waits)
        head_seconds = time.monotonic() - began
        rows: list[dict[str, Any]] = []
        for batch in _batches(answer):
            rows += RowBatch(batch.rows[: most_rows + 1 - len(rows)]).decode()
            if len(rows) > most_rows:
                break
        return Asked(
            period,
            rows[:most_rows],
            len(rows) > most_rows,
            answer.envelope,
            answer.server_time,
            head_seconds,
            time.monotonic() - began,
        )
    finally:
        answer.close()


def ask_growing(options: argparse.Namespace, output: Output, client: Client, *, waits: bool) -> Asked:
    """
    Ask for the calls of each period until there are enough, of a day or longer until there are any, and say so.

    :param options: the command's arguments.
    :param output: where to say so.
    :param client: of the Connection.
    :param waits: see :func:`ask`.
    """
    for period in periods(options, client.settings):
        asked = ask(client, period, options.rows, waits=waits)
        if asked.is_cut or len(asked.rows) >= (ENOUGH if period[1] - period[0] < DAY else 1):
            break
        start, end = (moment.astimezone(client.settings.zone) for moment in period)
        count = f"Few calls ({len(asked.rows)})" if asked.rows else "No calls"
        output.text(f"{count} from {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} ({client.settings.timezone}).")
    return asked


def periods(options: argparse.Namespace, settings: Settings) -> list[Period]:
    """
    Return the period of the arguments, or the last hour and longer ones that end now.

    :param options: the command's arguments.
    :param settings: the Connection's.
    :raises AlloincognitoQueryError: if the arguments are not a period.
    """
    given = options.period_start, options.period_end
    if not any(given):
        now = datetime.now(UTC)
        return [(now - length, now) for length in GROWING]
    if not all(given):
        raise AlloincognitoQueryError("Give both --period-start and --period-end, or none of them.")
    try:
        start, end = (parse_moment(text, settings.zone) for text in given)
    except ValueError:
        raise AlloincognitoQueryError(
            "--period-start or --period-end is not a valid time. Give a text such as '2026-03-01 00:00:00' or "
            "'2026-03-01T00:00:00+03:00'."
        ) from None
    return [(start, end)]


def body_of_answer(client: Client, access_token: str, period: Period) -> bytes:
    """
    Return the body of a call list's answer as it is, up to some 256 KB.

    :param client: of the Connection.
    :param access_token: of the pair in use.
    :param period: what to ask for.
    """
    # So all of the body is read, whatever it is.
    answer = client.send(Send(_request(client, period), access_token, is_token_call=True))
    answer.close()
    return answer.body


def _request(client: Client, period: Period) -> methods.ApiRequest:
    query = CallListQuery.checked(period_start=period[0], period_end=period[1])
    return methods.call_list(client.settings, query)


def _ready(client: Client, answer: StreamedAnswer, *, waits: bool) -> StreamedAnswer:
    """Return the response when it is ready, asking again by its hash."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not answer.is_ready():
        if not waits and answer.status != HTTPStatus.ACCEPTED:
            raise NotReady("The answer has no rows, or they are not ready yet.")
        request_hash = answer.envelope.request_hash if answer.envelope is not None else None
        answer.close()
        if request_hash is None or time.monotonic() > deadline:
            raise AlloincognitoWaitTimeout(
                "The result is not ready yet"
                + ("." if request_hash else ", and the response has no requestHash.")
                + " Ask for a shorter period with --period-start and --period-end, or try again later."
            )
        time.sleep(answer.retry_after or POLL_INTERVAL)
        answer = client.open(methods.request_result(client.settings, request_hash))
    return answer


def _batches(answer: StreamedAnswer) -> Iterator[RowBatch]:
    for piece in answer.stream():
        if not isinstance(piece, RowBatch):
            raise AlloincognitoResponseError("Unexpected response: a recording where a call list was requested.")
        yield piece

"""Ask the server, and find out what its rows and its times mean."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.mapping import read_mapping
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.cli import writing
from airflow_provider_alloincognito.cli.proposal import Proposal
from airflow_provider_alloincognito.cli.roles import Guess, RowField, column_type, guess_roles, mapping, schema_type
from airflow_provider_alloincognito.cli.sample import zone
from airflow_provider_alloincognito.cli.sample.profile import row_fields
from airflow_provider_alloincognito.cli.sample.question import Asked, NotReady, Period, ask, body_of_answer, periods
from airflow_provider_alloincognito.cli.sample.shape import Shape, shape_of
from airflow_provider_alloincognito.errors import (
    AlloincognitoError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
    AlloincognitoTruncatedError,
)
from airflow_provider_alloincognito.hooks.shared import shared_pair

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.client import Client
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

PAST, FUTURE = timedelta(hours=3), timedelta(hours=14)
"""How far the question about the newest call reaches: now is inside it in the zones of all servers that are likely."""


@dataclass(frozen=True)
class Seen:
    """
    What was found.

    :param asked: the question whose rows these are.
    :param fields: the fields of its rows.
    :param guesses: which of them are columns of the daily DAG.
    :param verdict: the zone of the server's times.
    :param proposal: what to set.
    :param hook: of the Connection, with the proposed ``api_mapping``.
    """

    asked: Asked
    fields: list[RowField]
    guesses: list[Guess]
    verdict: zone.ZoneVerdict
    proposal: Proposal
    hook: AlloincognitoHook


def look(options: argparse.Namespace, output: Output, hook: AlloincognitoHook) -> Seen:
    """
    Ask for calls, and return what they tell.

    :param options: the command's arguments.
    :param output: says what it does.
    :param hook: of the Connection.
    :raises AlloincognitoError: if there is no answer, or not one of rows.
    """
    with output.progress("Asking for calls"):
        asked, hook, places = _ask_wherever_rows_are(options, output, hook)
        fields = row_fields(asked.rows)
        guesses = _guesses(options, fields)
        verdict = _zone(hook.get_conn(), asked, guesses)
    proposal = _proposal(options, hook.settings, fields, guesses, verdict)
    if places:
        proposal.extra["api_mapping"] = places
    return Seen(asked, fields, guesses, verdict, proposal, hook)


def _ask_wherever_rows_are(
    options: argparse.Namespace, output: Output, hook: AlloincognitoHook
) -> tuple[Asked, AlloincognitoHook, dict[str, Any]]:
    """Ask, and again with another ``api_mapping`` if the rows are elsewhere in the answer; return that as well."""
    client = hook.get_conn()
    try:
        return _ask(options, output, client, waits=False), hook, {}
    except AlloincognitoTruncatedError:
        raise
    except AlloincognitoResponseError as error:
        shape = _shape(client, hook, [*_periods(options, client.settings)][-1])
        if shape is not None and (places := _places(shape)):
            output.text(f"The answer has its rows elsewhere than expected: {places}. It looks like this:")
        elif isinstance(error, NotReady):
            return _ask(options, output, client, waits=True), hook, {}
        else:
            output.text("The answer is not as expected. It looks like this:" if shape else "The answer is not JSON.")
        for line in shape.lines() if shape is not None else ():
            output.text(f"  {line}")
        if shape is None or not places:
            raise
    mapping = _merged(writing.connection_now(options, "").extra.get("api_mapping"), places)
    hook = _with_mapping(hook, mapping)
    return _ask(options, output, hook.get_conn(), waits=True), hook, mapping


def _shape(client: Client, hook: AlloincognitoHook, period: Period) -> Shape | None:
    """Return the shape of an answer to the longest period; None if it is not JSON."""
    store, _ = shared_pair(hook.settings, hook.access.authorization_token)
    pair = store.load()
    body = body_of_answer(client, pair.access_token, period) if pair is not None else b""
    shape = shape_of(body)
    return shape if shape.kinds else None


def _places(shape: Shape) -> dict[str, str]:
    """Return where rows and hash are, if that is clear."""
    rows, hashes = shape.rows_paths(), shape.hash_paths()
    if not rows:
        return {}
    places = {"rowset": ".".join(rows[0])}
    if len(hashes) == 1:
        places["requestHash"] = ".".join(hashes[0])
    return places


def _merged(given: Any, places: dict[str, str]) -> dict[str, Any]:
    mapping: dict[str, Any] = json.loads(given) if isinstance(given, str) and given else dict(given or {})
    return {**mapping, "answer": {**mapping.get("answer", {}), **places}}


def _with_mapping(hook: AlloincognitoHook, mapping: dict[str, Any]) -> AlloincognitoHook:
    changed = type(hook)(hook.alloincognito_conn_id)
    changed.access = replace(hook.access, settings=hook.access.settings.replace(api_mapping=read_mapping(mapping)))
    return changed


def _ask(options: argparse.Namespace, output: Output, client: Client, *, waits: bool) -> Asked:
    for period in _periods(options, client.settings):
        asked = ask(client, period, options.rows, waits=waits)
        if asked.rows:
            break
        start, end = (moment.astimezone(client.settings.zone) for moment in period)
        output.text(f"No calls from {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} ({client.settings.timezone}).")
    return asked


def _periods(options: argparse.Namespace, settings: Settings) -> Iterable[tuple[datetime, datetime]]:
    given = options.period_start, options.period_end
    if not any(given):
        return periods(datetime.now(UTC))
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


def _guesses(options: argparse.Namespace, fields: list[RowField]) -> list[Guess]:
    names = [one.name for one in fields]
    for column, name in options.field:
        if fields and name and name not in names:
            raise AlloincognitoQueryError(
                f"--field {column}={name}: no row has this field. The rows have {', '.join(names)}."
            )
    return writing.decided(guess_roles(fields), options) if fields else []


def _zone(client: Client, asked: Asked, guesses: list[Guess]) -> zone.ZoneVerdict:
    """Compare the server's times, with another question where the first says nothing or something unexpected."""
    now = datetime.now(UTC)
    configured = client.settings.zone
    starts = [one.field for one in guesses if one.role == "started_at"]
    clues = [zone.clue_of_call_time(asked.envelope.call_time if asked.envelope else None, asked.server_time)]
    expected = now.astimezone(configured).utcoffset()
    if starts and (clues[0] is None or clues[0].offset != expected):
        try:
            newest = ask(client, (now - PAST, now + FUTURE), _ALL)
        except AlloincognitoError:  # a server may refuse a period in the future
            newest = replace(asked, rows=[])
        values = [row.get(starts[0]) for row in newest.rows]
        clues.append(zone.clue_of_newest(values, datetime.now(UTC)))
    if starts:
        clues.append(zone.clue_of_period([row.get(starts[0]) for row in asked.rows], asked.period, configured, now))
    return zone.judge(clues, configured, now)


_ALL = 1_000_000


def _proposal(
    options: argparse.Namespace,
    settings: Settings,
    fields: list[RowField],
    guesses: list[Guess],
    verdict: zone.ZoneVerdict,
) -> Proposal:
    names, types = mapping([one for one in guesses if one.confidence != "unsure"], fields)
    columns = {name: column for column, name in names.items()}
    defaults = Settings()
    wanted: dict[str, Any] = {"timezone": verdict.timezone or settings.timezone}
    if "record_file_id" in names:
        wanted["record_file_id_field"] = names["record_file_id"]
    if "started_at" in names:
        wanted["start_time_field"] = names["started_at"]
    return Proposal(
        extra={
            **dict(options.set),
            **{name: value if value != getattr(defaults, name) else None for name, value in wanted.items()},
        },
        fields=names,
        types=types,
        schema={
            one.name: column_type(columns[one.name], one) if one.name in columns else schema_type(one) for one in fields
        },
    )

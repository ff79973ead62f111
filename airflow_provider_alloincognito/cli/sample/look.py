"""Ask the server, and find out what its rows and its times mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.times import parse_moment
from airflow_provider_alloincognito.cli.proposal import Proposal
from airflow_provider_alloincognito.cli.roles import Guess, RowField, column_type, guess_roles, mapping, schema_type
from airflow_provider_alloincognito.cli.sample import zone
from airflow_provider_alloincognito.cli.sample.profile import row_fields
from airflow_provider_alloincognito.cli.sample.question import Asked, ask, periods
from airflow_provider_alloincognito.cli.writing import decided
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoQueryError

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
    """

    asked: Asked
    fields: list[RowField]
    guesses: list[Guess]
    verdict: zone.ZoneVerdict
    proposal: Proposal


def look(options: argparse.Namespace, output: Output, hook: AlloincognitoHook) -> Seen:
    """
    Ask for calls, and return what they tell.

    :param options: the command's arguments.
    :param output: says what it does.
    :param hook: of the Connection.
    :raises AlloincognitoError: if there is no answer, or not one of rows.
    """
    client = hook.get_conn()
    with output.progress("Asking for calls"):
        asked = _ask(options, output, client)
        fields = row_fields(asked.rows)
        guesses = _guesses(options, fields)
        verdict = _zone(client, asked, guesses)
    proposal = _proposal(options, hook.settings, fields, guesses, verdict)
    return Seen(asked, fields, guesses, verdict, proposal)


def _ask(options: argparse.Namespace, output: Output, client: Client) -> Asked:
    for period in _periods(options, client.settings):
        asked = ask(client, period, options.rows)
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
    return decided(guess_roles(fields), options) if fields else []


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

"""Ask the server, and find out what its rows and its times mean."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.cli import writing
from airflow_provider_alloincognito.cli.proposal import Proposal
from airflow_provider_alloincognito.cli.roles import Guess, RowField, column_type, guess_roles, mapping, schema_type
from airflow_provider_alloincognito.cli.sample import zone
from airflow_provider_alloincognito.cli.sample.elsewhere import ask_wherever_rows_are
from airflow_provider_alloincognito.cli.sample.profile import row_fields
from airflow_provider_alloincognito.cli.sample.question import Asked, ask
from airflow_provider_alloincognito.errors import AlloincognitoError, AlloincognitoQueryError
from airflow_provider_alloincognito.scrubbing import scrub_names

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.transport.client import Client
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

PAST, FUTURE = timedelta(hours=3), timedelta(hours=14)
"""How far the question about the newest call reaches: now is inside it in the zones of all servers that are likely."""
ALL = 1_000_000


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
        asked, hook, api_mapping = ask_wherever_rows_are(options, output, hook)
        fields = row_fields(asked.rows)
        guesses = _guesses(options, fields)
        verdict = _zone(hook.get_conn(), asked, guesses)
    proposal = _proposal(options, hook.settings, fields, guesses, verdict)
    if api_mapping:
        proposal.extra["api_mapping"] = api_mapping
    return Seen(asked, fields, guesses, verdict, proposal, hook)


def _guesses(options: argparse.Namespace, fields: list[RowField]) -> list[Guess]:
    names = [one.name for one in fields]
    for column, name in options.field:
        if fields and name and name not in names:
            raise AlloincognitoQueryError(
                f"--field {column}={name}: no row has this field. The rows have {scrub_names(names)}."
            )
    return writing.decided(guess_roles(fields), options) if fields else []


def _zone(client: Client, asked: Asked, guesses: list[Guess]) -> zone.ZoneVerdict:
    """Compare the server's times, with another question where the first says nothing or something unexpected."""
    now = datetime.now(UTC)
    configured = client.settings.zone
    starts = [one.field for one in guesses if one.role == "started_at"]
    call_time = zone.clue_of_call_time(asked.envelope.call_time if asked.envelope else None, asked.server_time)
    if not starts:
        return zone.judge(call_time, None, None, configured, now)
    period = zone.clue_of_period([row.get(starts[0]) for row in asked.rows], asked.period, configured, now)
    newest = None
    if period is None and (call_time is None or call_time.offset != now.astimezone(configured).utcoffset()):
        newest = zone.clue_of_newest(_newest_starts(client, starts[0], now), datetime.now(UTC))
    return zone.judge(call_time, newest, period, configured, now)


def _newest_starts(client: Client, name: str, now: datetime) -> list[Any]:
    """Return the starts of the calls around now, in whatever zone the server is."""
    try:
        newest = ask(client, (now - PAST, now + FUTURE), ALL)
    except AlloincognitoError:  # a server may refuse a period in the future
        return []
    return [row.get(name) for row in newest.rows]


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
            **{name: value if value != getattr(defaults, name) else None for name, value in wanted.items()},
            **dict(options.set),  # the user knows best
        },
        fields=names,
        types=types,
        schema={
            one.name: column_type(columns[one.name], one) if one.name in columns else schema_type(one) for one in fields
        },
    )

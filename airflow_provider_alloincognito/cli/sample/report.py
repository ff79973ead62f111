"""Print what ``sample`` has found. Nothing of it is personal data: values are masked, texts of the server scrubbed."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.amounts import rows_text
from airflow_provider_alloincognito.cli import writing
from airflow_provider_alloincognito.cli.exit_codes import INCOMPLETE, OK
from airflow_provider_alloincognito.cli.masking import mask
from airflow_provider_alloincognito.cli.proposal import NEEDED, ROLES
from airflow_provider_alloincognito.cli.sample.profile import FieldProfile, profile
from airflow_provider_alloincognito.hooks.findings import Finding, Outcome
from airflow_provider_alloincognito.scrubbing import scrub, scrub_hash

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.cli.sample.look import Seen
    from airflow_provider_alloincognito.cli.sample.question import Asked
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook


def report(options: argparse.Namespace, output: Output, seen: Seen) -> int:
    """
    Print what was found, write it if told to, and return the exit code.

    :param options: the command's arguments.
    :param output: where to print.
    :param seen: what was found.
    """
    hook = seen.hook
    answer = _answer(seen.asked, hook)
    output.text(
        f"{rows_text(answer['rows'])}{' (and more)' if answer['more'] else ''} from {answer['period_start']} to "
        f"{answer['period_end']} ({answer['timezone']}), the first after {answer['seconds_to_first_row']} s, "
        f"all after {answer['seconds']} s."
    )
    output.text(
        "; ".join(f"{label} {answer[name]}" for name, label in _OF_ENVELOPE.items() if answer[name] is not None)
    )
    profiles = list(map(profile, seen.fields))
    _print_fields(output, seen, profiles)
    _print_guesses(output, seen)
    agrees = seen.verdict.timezone == hook.settings.timezone
    output.findings([Finding(Outcome.OK if agrees else Outcome.WARNING, seen.verdict.text, subject="Time zone")])
    document: dict[str, Any] = {
        "ok": not seen.proposal.missing,
        "answer": answer,
        "fields": list(map(asdict, profiles)),
        "guesses": [asdict(one) for one in seen.guesses],
        "timezone": asdict(seen.verdict),
        "proposal": seen.proposal.as_document(),
    }
    if seen.fields:
        connection = writing.connection_now(options, hook.access.authorization_token)
        document |= writing.write(options, output, seen.proposal, connection)
    else:
        output.text("There are no rows to learn from. Name a period that has calls: --period-start and --period-end.")
    output.result(document)
    return INCOMPLETE if seen.proposal.missing else OK


_OF_ENVELOPE = {
    "request_hash": "requestHash",
    "api_name": "API",
    "api_version": "version",
    "code": "code",
    "response_duration": "took by the server's own account",
}


def _answer(asked: Asked, hook: AlloincognitoHook) -> dict[str, Any]:
    start, end = (f"{moment.astimezone(hook.settings.zone):%Y-%m-%d %H:%M:%S}" for moment in asked.period)
    envelope = asked.envelope
    said = {name: getattr(envelope, name, None) for name in _OF_ENVELOPE}
    return {
        "period_start": start,
        "period_end": end,
        "timezone": hook.settings.timezone,
        "rows": len(asked.rows),
        "more": asked.is_cut,
        "seconds_to_first_row": round(asked.head_seconds, 2),
        "seconds": round(asked.seconds, 2),
        **{name: value if value is None else scrub(str(value)) for name, value in said.items()},
        "response_duration": _duration(said["response_duration"]),
        "request_hash": scrub_hash(envelope.request_hash) if envelope and envelope.request_hash else None,
    }


def _duration(value: Any) -> str | None:
    """Return the response's ``responseDuration``, whose form the API's text does not tell."""
    try:
        return f"{float(value):.3f}"
    except (TypeError, ValueError):
        return None if value is None else mask(value)


def _print_fields(output: Output, seen: Seen, profiles: list[FieldProfile]) -> None:
    roles = {one.field: f"{one.role} ({one.confidence})" for one in seen.guesses}
    count = max(len(seen.asked.rows), 1)
    output.table(
        "\nFields of a row",
        ("field", "type", "empty", "different", "examples", "looks like"),
        [
            (
                scrub(one.name),
                " or ".join(one.types) or "null",
                f"{100 * one.nulls / count:.0f} %",
                one.distinct,
                ", ".join(one.examples),
                roles.get(one.name, ""),
            )
            for one in profiles
        ],
    )


def _print_guesses(output: Output, seen: Seen) -> None:
    by_role = {one.role: one for one in seen.guesses}
    rows = []
    for role in ROLES:
        if (one := by_role.get(role)) is not None:
            left_out = " (left out)" if one.confidence == "unsure" else ""
            rows.append((role, scrub(one.field), f"{one.confidence}{left_out}", one.why))
        elif seen.fields:
            rows.append((role, "", "not found", "the DAG needs it" if role in NEEDED else "the DAG does without it"))
    output.table("\nColumns of the daily DAG", ("column", "field", "how sure", "why"), rows)

"""Print what ``discover`` has found out, and what it has not."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.cli import writing
from airflow_provider_alloincognito.cli.discover.methods import Choice
from airflow_provider_alloincognito.cli.discover.proposing import NEEDED_METHODS, Note, Outcome
from airflow_provider_alloincognito.cli.exit_codes import FAILED, INCOMPLETE, OK
from airflow_provider_alloincognito.hooks.findings import Finding, Outcome as Grade

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.discover.look import Seen
    from airflow_provider_alloincognito.cli.output import Output

MOST_SHOWN = 4
LONGEST_TEXT = 100
WHAT_ELSE = (
    "Open the server's page in a browser, log in there if it asks for it, save the document that it shows (the link "
    "under its title), and run this with --file FILE. If there is no document, 'airflow alloincognito sample' learns "
    "from an answer."
)


def report_nothing(output: Output, seen: Seen) -> int:
    """Print what was tried and what came, if no document has the API's methods."""
    _print_attempts(output, seen)
    if seen.documents:
        names = ", ".join(document.address for document in seen.documents)
        count = sum(len(document.operations) for document in seen.documents)
        text = f"No operation of {names} looks like one of the API's methods; it has {count}."
    else:
        text = f"No API document was found on {seen.settings.server}; {len(seen.search.attempts)} addresses were tried."
    output.findings([Finding(Grade.FAILED, text, WHAT_ELSE, subject="Document")])
    output.result({"ok": False, "error": {"message": text, "fix": WHAT_ELSE}, "tried": _attempts(seen)})
    return FAILED


def report(options: argparse.Namespace, output: Output, seen: Seen) -> int:
    """
    Print what was found, write it if told to, and return the exit code.

    :param options: the command's arguments.
    :param output: where to print.
    :param seen: what was found.
    """
    outcome = seen.outcome
    assert outcome is not None
    if output.is_verbose:
        _print_attempts(output, seen)
    for document in seen.documents:
        title = f" {document.title!r}" if document.title else ""
        output.text(f"{document.version}{title} at {document.address}, {len(document.operations)} operations")
        for problem in document.problems[:MOST_SHOWN]:
            output.text(f"  {problem}")
    _print_methods(output, seen.choices.values())
    _print_settings(output, outcome.notes)
    _print_row(output, outcome)
    findings = _findings(seen)
    output.findings(findings)
    result: dict[str, Any] = {
        "ok": not _is_incomplete(seen),
        "documents": [
            {"address": one.address, "version": one.version, "title": one.title, "operations": len(one.operations)}
            for one in seen.documents
        ],
        "tried": _attempts(seen),
        "methods": {choice.method: _method(choice) for choice in seen.choices.values()},
        "notes": [asdict(note) for note in outcome.notes],
        "row": _row(outcome),
        "missing": outcome.missing,
        "proposal": outcome.proposal.as_document(),
    }
    output.text()
    result |= writing.write(options, output, outcome.proposal, writing.connection_now(options, seen.token or ""))
    output.result(result)
    return INCOMPLETE if _is_incomplete(seen) else OK


def _is_incomplete(seen: Seen) -> bool:
    outcome = seen.outcome
    unsure = [
        one for one in NEEDED_METHODS if seen.choices[one].best is not None and seen.choices[one].confidence == "unsure"
    ]
    return bool(unsure) or outcome is None or bool(outcome.missing) or outcome.is_prevented


# For people


def _print_attempts(output: Output, seen: Seen) -> None:
    output.table("Tried", ("address", "what came"), seen.search.attempts)


def _print_methods(output: Output, choices: Iterable[Choice]) -> None:
    rows: list[tuple[object, ...]] = []
    for choice in choices:
        if choice.best is not None:
            sure = "chosen by you" if choice.chosen else choice.confidence
            rows.append((choice.method, choice.best.operation, sure, choice.best.why))
        else:
            rows.append((choice.method, "", "not clear" if choice.candidates else "not found", ""))
    output.table("\nMethods", ("method", "operation", "how sure", "why"), rows)


def _print_settings(output: Output, notes: Iterable[Note]) -> None:
    notes = list(notes)
    differing = [(note.subject, note.text) for note in notes if note.kind == "differs"]
    if differing:
        output.table("\nSettings that differ from the defaults", ("setting", "value: why"), differing)
    agreeing = [f"{note.subject} ({note.text})" for note in notes if note.kind == "agrees"]
    output.text(f"\nAgree with the defaults: {', '.join(agreeing) or 'none'}.")
    unknown = [(note.subject, note.text) for note in notes if note.kind == "unknown"]
    output.table("\nNot in the document", ("what", "so"), unknown)


def _print_row(output: Output, outcome: Outcome) -> None:
    if outcome.rows is None:
        output.text("\nThe fields of a row are not described.")
        return
    columns = {guess.field: f"{guess.role} ({guess.confidence})" for guess in outcome.guesses}
    output.table(
        "\nFields of a row",
        ("field", "type", "description", "column"),
        [
            (one.name, outcome.proposal.schema.get(one.name), _shortened(one.description or ""), columns.get(one.name))
            for one in outcome.rows.fields
        ],
    )
    output.text()


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _findings(seen: Seen) -> list[Finding]:
    outcome = seen.outcome
    assert outcome is not None
    found = []
    for choice in seen.choices.values():
        if choice.best is None and choice.candidates:
            names = "; ".join(f"{one.operation} ({one.why})" for one in choice.candidates[:MOST_SHOWN])
            fix = f'Choose one: --choose {choice.method}="{choice.candidates[0].operation}".'
            found.append(Finding(Grade.WARNING, f"several operations may be it: {names}", fix, subject=choice.method))
        elif choice.best is not None and choice.confidence == "unsure":
            text = f"{choice.best.operation} is a guess."
            found.append(Finding(Grade.WARNING, text, "Check it in the document.", subject=choice.method))
    for note in outcome.notes:
        if note.kind == "unsupported":
            found.append(Finding(Grade.WARNING, note.text, subject=note.subject))
        elif note.kind == "prevents":
            found.append(Finding(Grade.FAILED, f"{note.text} The daily DAG needs it.", subject=note.subject))
    for guess in outcome.guesses:
        if guess.confidence == "unsure":
            fix = f"If it is right: --field {guess.role}={guess.field}"
            found.append(Finding(Grade.WARNING, f"{guess.field} is a guess, and left out.", fix, subject=guess.role))
    if outcome.missing:
        text = f"Not found, and the daily DAG needs it: {', '.join(outcome.missing)}."
        found.append(
            Finding(Grade.WARNING, text, "'airflow alloincognito sample' learns it from an answer.", "Missing")
        )
    return found


# For scripts


def _attempts(seen: Seen) -> list[dict[str, str]]:
    return [{"address": address, "outcome": outcome} for address, outcome in seen.search.attempts]


def _method(choice: Choice) -> dict[str, Any]:
    return {
        "operation": str(choice.best.operation) if choice.best is not None else None,
        "confidence": choice.confidence if choice.best is not None else None,
        "chosen": choice.chosen,
        "why": [reason.text for reason in choice.best.reasons if reason.points > 0] if choice.best is not None else [],
        "candidates": [{"operation": str(one.operation), "points": one.points} for one in choice.candidates],
    }


def _row(outcome: Outcome) -> list[dict[str, Any]]:
    columns = {guess.field: guess for guess in outcome.guesses}
    found = []
    for one in outcome.rows.fields if outcome.rows is not None else ():
        guess = columns.get(one.name)
        found.append(
            {
                "field": one.name,
                "type": one.type,
                "format": one.format,
                "description": one.description,
                "values": list(one.enum),
                "column": guess.role if guess is not None else None,
                "confidence": guess.confidence if guess is not None else None,
            }
        )
    return found

"""
What ``--write`` does, for the commands that propose something: the Connection, and the mapping in the daily DAG's file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.errors import AlloincognitoSettingsError
from airflow_provider_alloincognito.scrubbing import without_locals

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.cli.proposal import Proposal
    from airflow_provider_alloincognito.cli.roles import Guess
    from airflow_provider_alloincognito.cli.writing.connection import ConnectionDraft

SAVE = "save"
PRINTED = ("json", "uri", "add")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to write, and where."""
    group = parser.add_argument_group("Write", "Without --write, the command only says what it would do.")
    group.add_argument("--write", action="store_true", help="save the Connection, and the mapping in the DAG file")
    group.add_argument(
        "--connection",
        default=SAVE,
        type=_form,
        metavar="HOW",
        help="save: in Airflow's database (default). json, uri, add: print it instead, without the token; add is a "
        "line for the shell. FILE.json: to a file for `airflow connections import`, with the token",
    )
    group.add_argument(
        "--dag",
        metavar="FILE",
        help="file of the daily DAG (default: alloincognito_daily_calls.py in Airflow's DAGs folder); created if "
        "it does not exist",
    )
    group.add_argument(
        "--field",
        action="append",
        default=[],
        type=_field,
        metavar="COLUMN=FIELD",
        help="which field of a row fills a column of the daily DAG, where the command is not sure; may be repeated: "
        "--field started_at=calldate. An empty FIELD leaves the column out",
    )


def _form(text: str) -> str:
    if text not in (SAVE, *PRINTED) and not text.endswith(".json"):
        raise argparse.ArgumentTypeError(f"it must be {SAVE}, {', '.join(PRINTED)}, or a file whose name ends in .json")
    return text


def _field(text: str) -> tuple[str, str]:
    from airflow_provider_alloincognito.cli.proposal import ROLES

    column, equals, name = (part.strip() for part in text.partition("="))
    if not equals or column not in ROLES:
        raise argparse.ArgumentTypeError(f"it must be COLUMN=FIELD, and COLUMN one of {', '.join(ROLES)}")
    return column, name


def decided(guesses: list[Guess], options: argparse.Namespace) -> list[Guess]:
    """
    Return the guesses with what the user says in place of them.

    :param guesses: as ``guess_roles`` returns them.
    :param options: the command's arguments.
    """
    from airflow_provider_alloincognito.cli.proposal import ROLES
    from airflow_provider_alloincognito.cli.roles import Guess

    told: dict[Any, str] = dict(options.field)
    kept = [one for one in guesses if one.role not in told and one.field not in told.values()]
    kept += [Guess(role, name, "certain", "as you say") for role, name in told.items() if name]
    return sorted(kept, key=lambda one: ROLES.index(one.role))


@without_locals()
def connection_now(options: argparse.Namespace, authorization_token: str) -> ConnectionDraft:
    """
    Return the Connection as it is, with the settings of ``--set``; of ``--host``, with its host and token.

    :param options: the command's arguments.
    :param authorization_token: that of ``--host``.
    """
    from airflow_provider_alloincognito.cli.writing.connection import ConnectionDraft
    from airflow_provider_alloincognito.hooks.connection import find_connection

    if options.host is None:
        draft = ConnectionDraft.of(find_connection(options.conn_id))
    else:
        try:
            draft = ConnectionDraft.of(find_connection(options.conn_id))
        except AlloincognitoSettingsError:  # there is none yet
            draft = ConnectionDraft(options.conn_id)
        draft = draft.moved_to(options.host, authorization_token)
    return draft.with_settings(dict(options.set))


def write(
    options: argparse.Namespace, output: Output, proposal: Proposal, connection: ConnectionDraft
) -> dict[str, Any]:
    """
    Write what is proposed, or say what would be written, and return that for ``--output json``.

    All is checked before anything is written.

    :param options: the command's arguments.
    :param output: where to print.
    :param proposal: the Connection's extras, and the mapping.
    :param connection: the Connection as it is.
    :raises AlloincognitoSetupError: if something cannot be written.
    """
    from airflow_provider_alloincognito.cli.writing.dag_file import mapping_source, plan_dag_file

    changed = {name: value for name, value in proposal.extra.items() if not connection.has_setting(name, value)}
    connection = connection.with_settings(proposal.extra)
    dag = None if proposal.missing else plan_dag_file(proposal, options.dag)
    done: dict[str, Any] = {"written": options.write, "connection": _connection(options, output, connection)}
    if connection.dropped:
        output.text(f"  Not kept, since they were for another server: {', '.join(connection.dropped)}.")
    for name, value in changed.items():
        output.text(f"  {name}: {'the default' if value is None else _as_setting(value)}")
    if dag is None:
        output.text(
            f"The DAG file is not written: no field is known for {' and '.join(proposal.missing)}. Name it with "
            f"--field {proposal.missing[0]}=FIELD."
        )
        return done
    if options.write:
        dag.write()
    would = "" if options.write else "would be "
    what = f"{would}made" if dag.is_new else f"{' and '.join(dag.changed)} {would}set"
    output.text(f"DAG file {dag.path}: {what if dag.is_new or dag.changed else 'is as it should be already'}.")
    for note in dag.notes:
        output.text(note)
    output.text(f"\n{mapping_source(proposal)}\n")
    output.text(f"The argument schema of the operators, for all fields of a row:\n{_pretty(proposal.schema)}\n")
    done["dag"] = {
        "file": str(dag.path),
        "new": dag.is_new,
        "changed": list(dag.changed),
        "notes": list(dag.notes),
    }
    if not options.write:
        output.text("Nothing was written. To write it, run this again with --write.")
    return done


def _as_setting(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=4)


def _connection(options: argparse.Namespace, output: Output, connection: ConnectionDraft) -> dict[str, Any]:
    """Save, print or describe the Connection."""
    from airflow_provider_alloincognito.hooks.connection_check import check_token
    from airflow_provider_alloincognito.hooks.findings import Outcome

    form = options.connection
    said: dict[str, Any] = {"id": connection.conn_id, "to": form, "extra": dict(connection.extra)}
    if connection.dropped:
        said["dropped"] = list(connection.dropped)
    if form in PRINTED:
        text = {"json": connection.as_json, "uri": connection.as_uri, "add": connection.as_add_command}[form]()
        output.text(text)
        return {**said, "text": text}
    token = check_token(connection.password or "")
    if options.write and token.outcome is not Outcome.OK:
        output.findings([token])
    if not options.write:
        output.text(f"Connection {connection.conn_id}: would be {'saved' if form == SAVE else f'written to {form}'}.")
    elif form == SAVE:
        with output.progress("Airflow saves the Connection"):
            connection.save()
        output.text(f"Connection {connection.conn_id}: saved.")
    else:
        connection.write(Path(form))
        output.text(f"Connection {connection.conn_id}: written to {form}, with its token. Only you can read the file.")
    return said

"""The settings of the Connection that an API's document asks for, and what it leaves open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from airflow_provider_alloincognito.api.mapping import ANSWER_PATHS, DEFAULT_VERBS, REQUEST_FIELDS
from airflow_provider_alloincognito.api.settings import PATH_SETTINGS, Settings
from airflow_provider_alloincognito.api.times import API_FORMAT
from airflow_provider_alloincognito.api.transport.network import origin
from airflow_provider_alloincognito.cli.discover import answers
from airflow_provider_alloincognito.cli.discover.answer_places import find_places, success_codes
from airflow_provider_alloincognito.cli.discover.answers import Rows, find
from airflow_provider_alloincognito.cli.discover.methods import (
    AUDIO,
    DEFAULTS,
    FEWEST_CALL_FIELDS,
    METHODS,
    Candidate,
    Choice,
    Method,
    find_rows_of,
)
from airflow_provider_alloincognito.cli.discover.openapi import Operation, Parameter
from airflow_provider_alloincognito.cli.discover.request_values import direction_values, flag_values
from airflow_provider_alloincognito.cli.discover.time_formats import named_zone, time_format
from airflow_provider_alloincognito.cli.discover.words import Said
from airflow_provider_alloincognito.cli.proposal import NEEDED, ROLES, Proposal
from airflow_provider_alloincognito.cli.roles import Guess, mapping, schema_type

NEEDED_METHODS: tuple[Method, ...] = ("create", "getcalllist", "getcallrecordfile")
"""The methods without which the daily DAG cannot run."""
OTHER_SOUNDS = re.compile(r"\b(wav|ogg)\b", re.IGNORECASE)
KINDS = Literal["differs", "agrees", "unknown", "unsupported", "prevents"]


@dataclass(frozen=True)
class Note:
    """
    One thing that was found out, or was not.

    :param kind: ``differs``: a setting must differ from its default; ``agrees``: the document agrees with a default;
        ``unknown``: the document does not say; ``unsupported``: the package cannot do what the document asks for;
        ``prevents``: nor can the daily DAG run without it.
    :param subject: a setting, or what is unknown.
    :param text: the value and why, or what to do.
    """

    kind: KINDS
    subject: str
    text: str


@dataclass
class Outcome:
    """
    What a document says.

    :param proposal: what to write.
    :param notes: what was found out and what was not.
    :param rows: of the call list.
    """

    proposal: Proposal
    notes: list[Note]
    rows: Rows | None
    guesses: list[Guess] = field(default_factory=list)
    """Which fields of a row are the DAG's columns. Those that are unsure are not in the proposal."""
    missing: list[str] = field(default_factory=list)
    """What the daily DAG needs and is not known."""

    @property
    def is_prevented(self) -> bool:
        """Whether the daily DAG needs what the package cannot do."""
        return any(note.kind == "prevents" for note in self.notes)


def propose(
    choices: Mapping[Method, Choice],
    settings: Settings,
    decide: Callable[[list[Guess]], list[Guess]] = lambda guesses: guesses,
    about: str = "",
) -> Outcome:
    """
    Return the settings that the chosen operations ask for.

    :param choices: what was found for each method.
    :param settings: the Connection's: its server, and what it has now.
    :param decide: returns the guesses of the row's fields with what the user says in place of them.
    :param about: what the documents say of the whole API.
    """
    proposer = _Proposer(choices, settings, decide, about)
    for method, candidate in proposer.taken.items():
        proposer.add_request(method, candidate)
    proposer.add_answers()
    return proposer.finish()


class _Proposer:
    def __init__(
        self,
        choices: Mapping[Method, Choice],
        settings: Settings,
        decide: Callable[[list[Guess]], list[Guess]],
        about: str,
    ) -> None:
        self._about = about
        self.taken = {method: choice.best for method, choice in choices.items() if choice.best is not None}
        self._choices = choices
        self._settings = settings
        self._extra: dict[str, Any] = {}
        self._mapping: dict[str, Any] = {}
        self._notes: list[Note] = []
        self._rows = self._find_rows()
        self._guesses = decide(self._all_guesses())

    def _note(self, kind: KINDS, subject: str, text: str) -> None:
        note = Note(kind, subject, text)
        if note not in self._notes:
            self._notes.append(note)

    def _cannot(self, method: Method, text: str) -> None:
        self._note("prevents" if method in NEEDED_METHODS else "unsupported", method, text)

    def _set(self, name: str, value: Any, why: str) -> None:
        """Propose a setting, if it differs from its default."""
        if value == getattr(DEFAULTS, name):
            self._note("agrees", name, f"{value}")
            if value != getattr(self._settings, name):
                self._extra[name] = None  # what the Connection has now is wrong
        else:
            self._extra[name] = value
            self._note("differs", name, f"{_shown(value)}: {why}")

    def _map(self, method: str, key: str, value: Any, why: str) -> None:
        self._mapping.setdefault(method, {})[key] = value
        self._note("differs", f"api_mapping: {method}.{key}", f"{_shown(value)}: {why}")

    def _find_rows(self) -> Rows | None:
        for method in ("getcalllist", "getrequestresultbyhash"):
            if method in self.taken:
                rows = find_rows_of(self.taken[method].operation)
                if rows is not None and rows.likeness >= FEWEST_CALL_FIELDS:
                    return rows
        return None

    def _all_guesses(self) -> list[Guess]:
        """Return the guesses of the row's columns, with what the names of the parameters tell beyond its own."""
        if self._rows is None:
            return []
        guesses = list(self._rows.guesses)
        listed = self.taken.get("getcalllist")
        direction = listed.roles.get("direction") if listed is not None else None
        unclear = all(one.role != "direction" or one.confidence == "unsure" for one in guesses)
        if direction is not None and unclear and direction.name in [one.name for one in self._rows.fields]:
            guesses = [one for one in guesses if one.role != "direction" and one.field != direction.name]
            guesses.append(Guess("direction", direction.name, "likely", "the parameter for the direction has its name"))
        return sorted(guesses, key=lambda guess: ROLES.index(guess.role))

    # Requests

    def add_request(self, method: Method, candidate: Candidate) -> None:
        """Propose how a method is requested."""
        operation = candidate.operation
        in_path = {one.name: ours for ours, one in candidate.roles.items() if one.where == "path"}
        path = operation.path
        for name, ours in in_path.items():
            path = path.replace(f"{{{name}}}", f"{{{ours}}}")
        self._set(PATH_SETTINGS[method], self._behind_gateway(path), f"{operation} is {method}")
        if operation.verb != DEFAULT_VERBS[method]:
            self._map(method, "verb", operation.verb, f"{operation} is {method}")
        self._add_place(method, candidate)
        self._add_names(method, candidate)
        if method == "getcalllist":
            self._add_period(candidate)
            self._add_filters(candidate)
        self._add_unsupported(method, candidate)

    def _behind_gateway(self, path: str) -> str:
        gateway = urlsplit(self._settings.server).path
        return path.removeprefix(gateway) if gateway and path.startswith(f"{gateway}/") else path

    def _add_place(self, method: Method, candidate: Candidate) -> None:
        places = [one.where for one in candidate.roles.values() if one.where != "path"]
        if not places:
            return
        place = max(dict.fromkeys(places), key=places.count)
        default = "json" if candidate.operation.verb == "POST" else "query"
        place = "form" if place == "multipart" else place
        if candidate.operation.verb == "GET" and place != "query":
            self._cannot(method, f"{candidate.operation} is a GET with a body, which is not offered.")
        elif place != default:
            self._map(method, "body", place, f"the parameters are in the {place}")
        if "multipart" in places:
            self._note("unsupported", method, "The body is multipart/form-data; it is sent as a plain form instead.")
        if strangers := [one.name for one in candidate.roles.values() if one.where not in ("path", place, "multipart")]:
            self._note("unsupported", method, f"Not in the {place} as the others: {', '.join(strangers)}.")

    def _add_names(self, method: Method, candidate: Candidate) -> None:
        sent = {ours: one for ours, one in candidate.roles.items() if one.where != "path"}
        names: dict[str, str | None] = {
            ours: one.name for ours, one in sent.items() if ours != one.name and ours in REQUEST_FIELDS[method]
        }
        if nested := [one.name for one in sent.values() if one.where == "json" and "." in one.name]:
            self._cannot(method, f"Fields within another field of the body cannot be sent: {', '.join(nested)}.")
        if method == "getcalllist" and {"periodStart", "periodEnd"} <= sent.keys():
            lacking = [ours for ours in REQUEST_FIELDS[method] if ours not in sent]
            names |= dict.fromkeys(lacking)
            if lacking:
                others = [one.name for one in candidate.operation.parameters if one not in candidate.roles.values()]
                unused = f" Not recognized: {', '.join(others)}." if others else ""
                text = f"No parameter was recognized as {', '.join(lacking)}; not sent.{unused}"
                self._note("unknown", "filters", text)
        if names:
            self._map(method, "names", names, "the server's names of the parameters")

    def _add_period(self, candidate: Candidate) -> None:
        start, end = candidate.roles.get("periodStart"), candidate.roles.get("periodEnd")
        if start is None or end is None:
            self._cannot("getcalllist", "No parameters were recognized as the start and end of a period.")
            return
        found = time_format(start.schema, start.description) or time_format(end.schema, end.description)
        if found is None:
            kind = start.schema.type
            if kind in ("integer", "number"):
                self._map("getcalllist", "time_format", "%s", f"{start.name} is a number: taken for epoch seconds")
            self._note("unknown", "time_format", f"How times are written in {start.name} and {end.name}.")
        elif found.text != API_FORMAT:
            self._map("getcalllist", "time_format", found.text, found.why)
        else:
            self._note("agrees", "time_format", found.text)
        if found is not None and "%H" not in found.text and "%s" not in found.text:
            self._note("unsupported", "period", "A period has whole days only. Ask for whole days, from midnight on.")
        self._add_zone([start, end], found.text if found else "")

    def _add_zone(self, period: list[Parameter], text: str) -> None:
        descriptions = [one.description for one in period]
        starts = [guess.field for guess in self._guesses if guess.role == "started_at"]
        descriptions += [
            one.description or "" for one in (self._rows.fields if self._rows else ()) if one.name in starts
        ]
        has_offset = "%:z" in text or "%z" in text or "%s" in text
        if text.endswith("Z"):
            self._set("timezone", "UTC", "its times end in Z")
        elif zone := named_zone(" ".join(descriptions)):
            self._set("timezone", zone, "the description of its times says so")
        elif has_offset:
            self._note("agrees", "timezone", "the period is sent with its offset from UTC")
        elif zone := named_zone(self._about):
            self._set("timezone", zone, "the description of the API says so")
        else:
            self._note("unknown", "timezone", f"The zone of the server's times. {DEFAULTS.timezone} is assumed.")

    def _add_filters(self, candidate: Candidate) -> None:
        roles = candidate.roles
        values: dict[str, dict[str, Any]] = {}
        if (direction := roles.get("direction")) is not None:
            table = direction_values(direction)
            if table is None:
                assumed = "0 for all, 1 for outgoing and 2 for incoming calls are assumed."
                self._note("unknown", "direction", f"The values of {direction.name}. {assumed}")
                is_text = direction.schema.type == "string" and direction.where == "json"
                table = {key: key if is_text else int(key) for key in "012"}
                if direction.schema.values and "0" not in map(str, direction.schema.values):
                    table["0"] = None
            if table != {"0": 0, "1": 1, "2": 2}:
                values["direction"] = table
        for ours, is_filter in (("isCallRecord", True), ("isRead", False)):
            if ours in roles and (table := flag_values(roles[ours], is_filter=is_filter)) is not None:
                values[ours] = table
        if values:
            self._map("getcalllist", "values", values, "the server's values")
        self._add_numbers(roles.get("numbers"))
        can_be_unset = [ours for ours, table in values.items() if table.get("0", 0) is None]
        filters = [roles[ours] for ours in ("durationFrom", "durationTo", "isRead", *can_be_unset) if ours in roles]
        optional = [one for one in filters if one.where == "json" and not _takes_null(one)]
        if optional and not any(one.required for one in filters):
            names = ", ".join(one.name for one in optional)
            self._map("getcalllist", "nulls", "omit", f"null is not a value of {names}")

    def _add_numbers(self, numbers: Parameter | None) -> None:
        if numbers is None:
            self._note("unknown", "numbers_field", "No parameter was recognized as the phone numbers to filter by.")
            return
        self._set("numbers_field", numbers.name, "the parameter with the phone numbers")
        is_list = numbers.schema.type == "array"
        if numbers.where == "json":
            written = "list" if is_list else "comma"
        else:
            has_commas = re.search(r"запят|comma", numbers.description, re.IGNORECASE)
            written = numbers.list_format if is_list else "comma" if has_commas else "repeat"
        if written not in ("list", "repeat", "comma"):
            self._note(
                "unsupported", "numbers_field", f"Numbers in the style {written!r}. Ask for one number at a time."
            )
        elif written == "comma":
            self._map("getcalllist", "list_format", "comma", "several numbers are one text")

    def _add_unsupported(self, method: Method, candidate: Candidate) -> None:
        operation = candidate.operation
        known = list(candidate.roles.values())
        where = [one for one in operation.parameters if one not in known and one.where not in ("header", "cookie")]
        given = parse_qs(urlsplit(self._settings.path_of(method)).query, keep_blank_values=True)
        where = [one for one in where if one.name not in given]
        if extra := [one.name for one in where if one.required and one.schema.default is None]:
            is_secret = any(Said(name).names("token", "password", "access", "refresh") for name in extra)
            fix = f" If its value never changes, add it to {PATH_SETTINGS[method]}: ...?{extra[0]}=VALUE."
            what = f"It wants {', '.join(extra)}, which the package does not send."
            self._cannot(method, what + (fix if not is_secret else ""))
        if paging := [one.name for one in where if Said(one.name).names("page") and method == "getcalllist"]:
            self._note(
                "unsupported",
                method,
                f"It may answer page by page ({', '.join(paging)}), and only the first page is fetched. If it has an "
                f"upper limit, put it into {PATH_SETTINGS[method]} as a query, and split periods with the "
                "operator's window.",
            )
        if problem := _security_problem(operation):
            self._note("unsupported", method, problem)
        self._add_host(operation)

    def _add_host(self, operation: Operation) -> None:
        if operation.host and origin(operation.host) != origin(self._settings.server):
            self._note(
                "unknown",
                "host",
                f"The document says that the API is at {operation.host}, the Connection's is {self._settings.server}. "
                "If requests fail with 404, try the other as the Connection's host.",
            )

    # Answers

    def add_answers(self) -> None:
        """Propose where the answers' fields are."""
        taken = {method: candidate.operation for method, candidate in self.taken.items()}
        found = find_places(taken)
        for name, usual in ANSWER_PATHS.items():
            paths = found.get(name, [])
            texts = [".".join(path) for path in paths]
            if set(paths) - set(usual):
                self._map("answer", name, texts[0] if len(texts) == 1 else texts, "where the answers have it")
            elif paths:
                self._note("agrees", f"answer: {name}", texts[0])
        if codes := success_codes(taken):
            self._set("success_codes", (*codes,), "the example of a success has this code")
        self._add_recording()

    def _add_recording(self) -> None:
        candidate = self.taken.get("getcallrecordfile")
        if candidate is None:
            return
        operation = candidate.operation
        content = find(operation.answer, answers.file_content, 2.0)
        if content is None and operation.good:
            media = operation.good[0].media
            if AUDIO.search(media) or operation.answer.format == "binary" or operation.answer.type == "file":
                what = media or "a file"
                self._cannot(
                    "getcallrecordfile",
                    f"Recordings come as {what}, not as base64 in JSON, which the package cannot read.",
                )
        said = f"{operation.summary} {content.schema.description if content is not None else ''}"
        if sounds := sorted({one.lower() for one in OTHER_SOUNDS.findall(said)}):
            self._set("audio_formats", ("mp3", *sounds), "the description of the recording names them")

    # The rows

    def finish(self) -> Outcome:
        """Return all that was found out."""
        fields: dict[str, str] = {}
        types: dict[str, str] = {}
        schema: dict[str, str] = {}
        if self._rows is not None:
            sure = [guess for guess in self._guesses if guess.confidence != "unsure"]
            fields, types = mapping(sure, self._rows.fields)
            schema = {one.name: schema_type(one) for one in self._rows.fields}
            schema |= {fields[role]: kind for role, kind in types.items()}
            self._add_row_settings(fields)
        if self._mapping:
            self._extra["api_mapping"] = self._mapping
        elif self._settings.api_mapping:
            self._extra["api_mapping"] = None
        self._add_open_questions()
        missing: list[str] = [one for one in NEEDED_METHODS if one not in self.taken]
        missing += [f"the field for {role}" for role in NEEDED if role not in fields]
        return Outcome(Proposal(self._extra, fields, types, schema), self._notes, self._rows, self._guesses, missing)

    def _add_row_settings(self, fields: Mapping[str, str]) -> None:
        if "record_file_id" in fields:
            self._set("record_file_id_field", fields["record_file_id"], "the row's field with the recording's id")
        sure = [guess for guess in self._guesses if guess.role == "started_at" and guess.confidence == "certain"]
        if sure:
            self._set("start_time_field", sure[0].field, "the row's field with the start of the call")

    def _add_open_questions(self) -> None:
        for method in METHODS:
            if method not in self.taken and method in self._choices:
                setting = PATH_SETTINGS[method]
                what = (
                    "several operations may be it" if self._choices[method].candidates else "no operation looks like it"
                )
                self._note("unknown", method, f"{what}, so {setting} stays {getattr(DEFAULTS, setting)}.")
        if "getcalllist" not in self.taken:
            self._note("unknown", "timezone", f"The zone of the server's times. {DEFAULTS.timezone} is assumed.")
        for subject, text in (
            (
                "period_end",
                "Whether a call that starts exactly at the end of a period is listed. Both are taken for possible.",
            ),
            ("pending_error_codes", 'Whether an error\'s code can mean "not ready yet". None is assumed.'),
            ("requests_per_second", "How many requests the server allows. No limit is assumed."),
        ):
            self._note("unknown", subject, text)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _takes_null(parameter: Parameter) -> bool:
    return parameter.schema.is_nullable or bool(re.search(r"\bnull\b", parameter.description, re.IGNORECASE))


def _security_problem(operation: Operation) -> str:
    """Return what the package cannot do for an operation's security, if it can do none of the ways in."""
    ways = [_is_bearer(scheme) for scheme in operation.security]
    if not ways or any(ways):
        return ""
    scheme = operation.security[0]
    kind = str(scheme.get("type", "?"))
    detail = {
        "apiKey": f"the key {scheme.get('name')} in the {scheme.get('in')}",
        "basic": "a user and a password",
    }.get(kind, str(scheme.get("scheme") or kind))
    return f"It wants {detail} ({kind}). The package sends its tokens only as Authorization: Bearer."


def _is_bearer(scheme: Mapping[str, Any]) -> bool:
    kind = str(scheme.get("type", "")).lower()
    if kind == "http":
        return str(scheme.get("scheme", "")).lower() == "bearer"
    if kind == "apikey":
        return scheme.get("in") == "header" and str(scheme.get("name", "")).lower() == "authorization"
    return kind in ("oauth2", "openidconnect")

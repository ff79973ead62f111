"""What an answer holds, and where: rows of calls, a token pair, a recording, a hash, an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from airflow_provider_alloincognito.cli.discover.schemas import Schema, walk
from airflow_provider_alloincognito.cli.discover.words import Said
from airflow_provider_alloincognito.cli.proposal import NEEDED
from airflow_provider_alloincognito.cli.roles import Guess, RowField, guess_roles

Path = tuple[str, ...]

WEIGHTS = {"certain": 1.0, "likely": 0.8, "unsure": 0.3}
BINARY_FORMATS = ("byte", "base64", "binary", "base64url")
IS_BASE64 = re.compile(r"base-?64", re.IGNORECASE)
MP3_IN_BASE64 = re.compile(r"SUQz|/\+[Mu]|//[uvs]")
LONGEST_PATH = 4


@dataclass(frozen=True)
class Rows:
    """
    The rows of an answer.

    :param path: where they are; empty if the answer is the list itself.
    :param fields: of one row.
    :param guesses: which field is the start, the direction and so on.
    """

    path: Path
    fields: list[RowField] = field(repr=False)
    guesses: list[Guess]

    @property
    def likeness(self) -> float:
        """How much they are like calls: 0 to 7."""
        return sum(WEIGHTS[guess.confidence] for guess in self.guesses)


def find_rows(answer: Schema) -> Rows | None:
    """Return the list in an answer that is most like calls; None if there is no list of objects."""
    best: Rows | None = None
    for path, one in walk(answer):
        if one.type == "array" and one.items is not None and one.items.properties:
            fields = row_fields(one.items)
            rows = Rows(path, fields, _guesses(fields))
            if best is None or rows.likeness > best.likeness:
                best = rows
    return best


def _guesses(fields: list[RowField]) -> list[Guess]:
    """Guess the columns. What the DAG needs, and only one field can be, is likely to be that one."""
    found = []
    for guess in guess_roles(fields):
        if guess.confidence == "unsure" and guess.role in NEEDED:
            others = guess_roles([one for one in fields if one.name != guess.field])
            if guess.role not in [other.role for other in others]:
                guess = replace(guess, confidence="likely", why=f"{guess.why}; no other field looks like it")
        found.append(guess)
    return found


def row_fields(row: Schema) -> list[RowField]:
    """Return the fields of a row."""
    return [
        RowField(
            name=name,
            type=one.type or None,
            format=one.format or None,
            description=one.description or None,
            enum=tuple(one.values),
            samples=(one.example,) if isinstance(one.example, str | int | float) else (),
        )
        for name, one in row.properties.items()
    ]


@dataclass(frozen=True)
class Spot:
    """
    A field of an answer.

    :param path: where it is.
    :param schema: what it looks like.
    :param points: how well it fits.
    """

    path: Path
    schema: Schema = field(repr=False)
    points: float


Judge = Callable[[Said, Schema], float]


def find(answer: Schema, judge: Judge, enough: float) -> Spot | None:
    """
    Return the field that fits best, the nearest of equals; None if none fits.

    :param answer: the whole answer. The fields of its lists are not looked at.
    :param judge: returns a field's points.
    :param enough: the points that it needs.
    """
    best: Spot | None = None
    for path, one in leaves(answer):
        points = judge(Said(" ".join(path), one.description), one)
        if points >= enough and (best is None or points > best.points):
            best = Spot(path, one, points)
    return best


def leaves(answer: Schema) -> Iterator[tuple[Path, Schema]]:
    """Yield the fields of an answer that are not objects or lists themselves."""
    for path, one in walk(answer):
        if path and len(path) <= LONGEST_PATH and one.type not in ("object", "array"):
            yield path, one


def own(said: Said) -> Said:
    """Return what the last name of a path says, without those of the objects around it."""
    return Said(said.name.rpartition(" ")[2], said.text)


# The token pair


def access_token(said: Said, schema: Schema) -> float:
    """Judge whether a field is the access token."""
    last = own(said)
    if schema.type not in ("", "string") or last.names("expiry", "kind", "time") or said.names("refresh"):
        return 0
    if not said.names("token", "access"):
        return 1.5 if last.has("access") and "token" in last.in_text and not last.names("message", "id") else 0
    return 2 * said.names("token") + 2 * said.names("access") + last.names("token", "access")


def refresh_token(said: Said, schema: Schema) -> float:
    """Judge whether a field is the refresh token."""
    last = own(said)
    if schema.type not in ("", "string") or last.names("expiry", "kind", "time"):
        return 0
    if not said.names("refresh"):
        return 2 if "refresh" in said.in_text and "token" in said.in_text and not said.names("message", "access") else 0
    return 3 + said.names("token")


def expiry_of(which: str) -> Judge:
    """Return a judge of whether a field is the expiry of the ``access`` or ``refresh`` token."""

    def judge(said: Said, schema: Schema) -> float:
        if schema.type not in ("", "string", "integer", "number") or not own(said).has("expiry"):
            return 0
        if not own(said).names("expiry") and schema.format not in ("date-time", "date"):
            return 0
        is_refresh = said.names("refresh") or ("refresh" in said.in_text and not said.names("access"))
        if which == "refresh":
            return 4 if is_refresh else 0
        return 0 if is_refresh else 4 if said.has("access") else 3

    return judge


# The recording


def file_content(said: Said, schema: Schema) -> float:
    """Judge whether a field is a recording in base64."""
    last = own(said)
    is_other = last.names("name", "hash", "kind", "message") or (last.names("time") and not last.names("content"))
    if schema.type not in ("", "string") or is_other:
        return 0
    example = schema.example if isinstance(schema.example, str) else ""
    points = 3.0 if schema.format in BINARY_FORMATS else 0.0
    points += 3 if IS_BASE64.search(f"{said.text} {last.name}") else 0
    points += 1 if MP3_IN_BASE64.match(example) else 0
    if last.names("content") or (last.names("recording", "file") and not last.names("id")):
        points += 2 if last.names("content") else 1
        points += said.names("file", "recording")
    return points


def file_name(said: Said, schema: Schema) -> float:
    """Judge whether a field is a recording's name."""
    last = own(said)
    if schema.type not in ("", "string") or not last.has("name"):
        return 0
    return 2 * last.names("name") + said.names("file", "recording") + ("file" in said.in_text)


# The envelope


def request_hash(said: Said, schema: Schema) -> float:
    """Judge whether a field is the handle of a request, by which its result can be fetched."""
    last = own(said)
    if schema.type not in ("", "string", "integer") or last.names("message", "time", "token", "status"):
        return 0
    if last.names("hash"):
        return 3 + last.names("request")
    if last.names("request") and last.names("id"):
        return 3
    is_handle = last.names("handle") or (last.names("stats", "export") and last.names("id"))
    return 2.5 if is_handle or {"request", "id"} <= last.in_text or "hash" in last.in_text else 0


def error_code(said: Said, schema: Schema) -> float:
    """Judge whether a field is the code of an error."""
    last = own(said)
    if schema.type not in ("", "string", "integer", "number") or not last.names("errorcode") or last.names("phone"):
        return 0
    if said.names("error"):
        return 4
    return (
        3
        if said.names("status") and " " in said.name
        else 2
        if said.has("error", "status") or " " not in said.name
        else 0
    )


def error_message(said: Said, schema: Schema) -> float:
    """Judge whether a field is the text of an error."""
    last = own(said)
    if schema.type not in ("", "string"):
        return 0
    if last.names("error") and not last.names("errorcode", "kind", "id", "time"):
        return 4 if last.names("message") or " " not in said.name else 3
    if not last.names("message") or last.names("id", "kind"):
        return 0
    if said.names("error"):
        return 4
    return 3 if said.names("status") and " " in said.name else 2 if said.has("error") or " " not in said.name else 0

"""API documents at random: the same five methods under names of the same meaning, with answers wrapped in any way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from other_operations import with_other_operations

# By meaning: names as they are met in English, Russian in Latin letters, and Russian. They are cased at random.
PARAMETERS: dict[str, list[str]] = {
    "periodStart": [
        "period start", "date from", "from date", "start time", "begin date", "since", "date begin", "data nachala",
        "nachalo perioda", "vremya s", "дата начала", "time from", "period from",
    ],
    "periodEnd": [
        "period end", "date to", "to date", "end time", "finish date", "until", "date end", "data kontsa",
        "konec perioda", "vremya po", "дата окончания", "time to", "period to",
    ],
    "direction": ["direction", "call direction", "dir", "napravlenie", "направление", "direction type"],
    "durationFrom": [
        "duration from",
        "min duration",
        "duration min",
        "dlitelnost ot",
        "длительность от",
        "duration gte",
    ],
    "durationTo": ["duration to", "max duration", "duration max", "dlitelnost do", "длительность до", "duration lte"],
    "isCallRecord": [
        "is call record",
        "has recording",
        "with record",
        "recorded only",
        "est zapis",
        "только с записью",
    ],
    "isRead": ["is read", "voicemail read", "proslushano", "is listened voicemail", "прослушано", "heard"],
    "numbers": ["numbers", "phones", "phone numbers", "msisdns", "nomera", "номера", "extensions", "abonent numbers"],
}  # fmt: skip
RECORDING_IDS = ["record file id", "recording id", "record uuid", "zapis id", "id zapisi", "audio id", "ид записи"]
HASHES = ["request hash", "request id", "query hash", "hesh zaprosa", "job id", "хеш запроса", "task uid"]
ROW: dict[str, list[str]] = {
    "started_at": ["start time", "started at", "call start", "vremya nachala", "время начала", "begin time"],
    "direction": ["direction", "call direction", "napravlenie", "направление"],
    "caller": ["caller number", "calling number", "from number", "nomer zvonyaschego", "source number"],
    "called": ["called number", "callee number", "to number", "destination number", "nomer vyzvannogo"],
    "talk_seconds": ["duration", "talk duration", "billsec", "dlitelnost", "длительность", "talk seconds"],
}
ACCESS = ["access token", "jwt access", "token dostupa", "access jwt"]
REFRESH = ["refresh token", "token obnovleniya", "refresh jwt"]
CONTENT = ["file content", "content", "data base64", "soderzhimoe fayla", "file body", "audio base64", "file bytes"]
ROWS = ["rowset", "rows", "items", "calls", "stroki", "results", "zvonki", "data"]
WRAPPERS = ["result", "data", "payload", "response", "otvet", "body", "value"]
PATHS: dict[str, list[str]] = {
    "create": ["auth/create", "tokens", "token/new", "oauth/issue", "avtorizatsiya/poluchit", "Auth/GetTokens"],
    "refresh": [
        "auth/refresh",
        "tokens/renew",
        "token/refresh",
        "oauth/renew",
        "avtorizatsiya/obnovit",
        "Auth/RefreshTokens",
    ],
    "getcalllist": [
        "calls",
        "cdr/list",
        "call-history",
        "zvonki",
        "calls/search",
        "Calls/GetList",
        "request/getcalllist",
    ],
    "getcallrecordfile": ["recordings/file", "record", "audio", "zapis", "calls/record", "Records/Download"],
    "getrequestresultbyhash": ["results", "request/result", "jobs/result", "rezultat", "Requests/GetResult"],
}
TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}


def _cased(words: str, style: str) -> str:
    parts = words.split()
    match style:
        case "snake":
            return "_".join(parts)
        case "kebab":
            return "-".join(parts)
        case "pascal":
            return "".join(part.capitalize() for part in parts)
        case "lower":
            return "".join(parts)
        case _:
            return parts[0] + "".join(part.capitalize() for part in parts[1:])


@dataclass(frozen=True)
class RandomDocument:
    """
    A document, and what is in it.

    :param content: it.
    :param operations: method to operation.
    :param parameters: the API text's name of a parameter to the document's.
    :param places: the API text's name of an answer's field to its path.
    :param row: column to field of a row.
    """

    content: dict[str, Any]
    operations: dict[str, str]
    parameters: dict[str, str]
    places: dict[str, str]
    row: dict[str, str]

    def __repr__(self) -> str:
        return json.dumps([self.operations, self.parameters, self.places, self.row], ensure_ascii=False, indent=1)


@st.composite
def documents(draw: st.DrawFn) -> RandomDocument:
    """Return any such document."""
    style = draw(st.sampled_from(["snake", "camel", "pascal", "kebab"]))

    def name(words: list[str]) -> str:
        return _cased(draw(st.sampled_from(words)), style)

    version = draw(st.sampled_from(["2.0", "3.0.1", "3.1.0"]))
    base = draw(st.sampled_from(["", "/api/v1", "/gateway/pbx"]))
    verbs = {method: draw(st.sampled_from(["GET", "POST"])) for method in PATHS}
    paths = {method: f"/{draw(st.sampled_from(words))}" for method, words in PATHS.items()}
    parameters = {ours: name(words) for ours, words in PARAMETERS.items()}
    recording, handle = name(RECORDING_IDS), name(HASHES)
    row = {column: name(words) for column, words in ROW.items()} | {"record_file_id": recording}
    wrappers = [name(WRAPPERS) for _ in range(draw(st.integers(0, 2)))]
    if len(set(wrappers)) < len(wrappers):
        wrappers = wrappers[:1]
    rows, content = name(ROWS), name(CONTENT)
    access, refresh = name(ACCESS), name(REFRESH)
    calls = wrapped(
        wrappers, {rows: {"type": "array", "items": {"type": "object", "properties": row_of(row)}}, handle: TEXT}
    )
    file = wrapped(wrappers, {content: {"type": "string", "description": "mp3, base64"}, handle: TEXT})
    pair = wrapped(wrappers[:1], {access: TEXT, refresh: TEXT})
    kinds: dict[str, dict[str, Any]] = dict.fromkeys(parameters, TEXT) | dict.fromkeys(
        ("durationFrom", "durationTo", "isRead", "isCallRecord"), NUMBER
    )
    kinds |= {"numbers": {"type": "array", "items": TEXT}, "direction": {"type": "integer", "enum": [0, 1, 2]}}
    taken = {
        "create": ({}, pair),
        "refresh": ({}, pair),
        "getcalllist": ({parameters[ours]: kinds[ours] for ours in draw(st.permutations(list(parameters)))}, calls),
        "getcallrecordfile": ({recording: TEXT}, file),
        "getrequestresultbyhash": ({handle: TEXT}, {"type": "object"}),
    }
    document: dict[str, Any] = {"info": {"title": "API", "version": "1"}, "paths": {}}
    for method in draw(st.permutations(list(PATHS))):
        given, answer = taken[method]
        item = document["paths"].setdefault(paths[method], {})
        item[verbs[method].lower()] = operation_of(version, verbs[method], given, answer)
    if version == "2.0":
        document |= {"swagger": "2.0", "basePath": base or "/"}
    else:
        document |= {"openapi": version, "servers": [{"url": base or "/"}]}
        if draw(st.booleans()):
            document = with_other_operations(document, 40)
    prefix = ".".join([*wrappers, ""])
    places = {
        "rowset": f"{prefix}{rows}",
        "fileContent": f"{prefix}{content}",
        "accessToken": ".".join([*wrappers[:1], access]),
        "refreshToken": ".".join([*wrappers[:1], refresh]),
    }
    operations = {method: f"{verbs[method]} {base}{paths[method]}" for method in PATHS}
    return RandomDocument(
        document, operations, parameters | {"recordFileId": recording, "requestHash": handle}, places, row
    )


def row_of(names: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a row."""
    kinds = {"started_at": {"type": "string", "format": "date-time"}, "talk_seconds": NUMBER}
    return {name: kinds.get(column, TEXT) for column, name in names.items()}


def wrapped(wrappers: list[str], fields: dict[str, Any]) -> dict[str, Any]:
    """Return an object with these fields, inside others."""
    schema: dict[str, Any] = {"type": "object", "properties": fields}
    for name in reversed(wrappers):
        schema = {"type": "object", "properties": {name: schema}}
    return schema


def operation_of(version: str, verb: str, fields: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return an operation: its fields are in the query with GET, in a JSON body with POST."""
    body = {"type": "object", "properties": fields}
    required = [next(iter(fields))] if len(fields) == 1 else []
    if version == "2.0":
        found: dict[str, Any] = {"responses": {"200": {"description": "", "schema": answer}}}
        if fields and verb == "POST":
            found["parameters"] = [{"in": "body", "name": "body", "schema": {**body, "required": required}}]
        else:
            found["parameters"] = [
                {"in": "query", "name": name, **kind, "required": name in required} for name, kind in fields.items()
            ]
        return found
    found = {"responses": {"200": {"description": "", "content": {"application/json": {"schema": answer}}}}}
    if fields and verb == "POST":
        found["requestBody"] = {"content": {"application/json": {"schema": {**body, "required": required}}}}
    else:
        found["parameters"] = [
            {"in": "query", "name": name, "schema": kind, "required": name in required} for name, kind in fields.items()
        ]
    return found

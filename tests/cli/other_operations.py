"""The rest of a telephony API: operations beside the five that look for the same words, fields and shapes."""

from __future__ import annotations

import copy
from typing import Any

NOUNS = (
    "users", "contacts", "devices", "extensions", "queues", "trunks", "tariffs", "invoices", "webhooks", "greetings",
    "schedules", "blacklists", "groups", "roles", "campaigns", "leads", "ivr-menus", "sms-templates", "tags", "notes",
)  # fmt: skip
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
TIME = {"type": "string", "format": "date-time"}
FILE = {"type": "object", "properties": {"name": TEXT, "content": {"type": "string", "format": "byte"}}}


def listed(**fields: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a list."""
    rows = {"type": "array", "items": {"type": "object", "properties": fields}}
    return {"type": "object", "properties": {"items": rows, "total": NUMBER}}


def operation(summary: str, answer: dict[str, Any], *parameters: Any, body: Any = None) -> dict[str, Any]:
    """Return an operation; a parameter is a name, or name and schema, of the query."""
    pairs = [one if isinstance(one, tuple) else (one, TEXT) for one in parameters]
    found: dict[str, Any] = {
        "summary": summary,
        "parameters": [{"name": name, "in": "query", "required": False, "schema": kind} for name, kind in pairs],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}},
    }
    if body is not None:
        found["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return found


def by_id(made: dict[str, Any], name: str = "id") -> dict[str, Any]:
    """Return an operation with an id in its path."""
    parameter = {"name": name, "in": "path", "required": True, "schema": TEXT}
    return {**made, "parameters": [parameter, *made["parameters"]]}


PERIOD = (("date_from", TIME), ("date_to", TIME))
PERSON = {"id": NUMBER, "name": TEXT, "phone": TEXT, "extension": TEXT, "created_at": TIME}
MESSAGE = {"id": NUMBER, "sent_at": TIME, "from": TEXT, "to": TEXT, "text": TEXT, "direction": TEXT}
TOKENS = {
    "type": "object",
    "properties": {"access_token": TEXT, "refresh_token": TEXT, "expires_in": NUMBER},
}
NOT_WANTED = {
    "/sms": {"get": operation("История SMS", listed(**MESSAGE), *PERIOD, "direction", "phone")},
    "/chats/messages": {"get": operation("Сообщения", listed(**MESSAGE), *PERIOD)},
    "/faxes/{id}/content": {"get": by_id(operation("Содержимое факса", FILE))},
    "/users/{id}/avatar": {"get": by_id(operation("Фотография", FILE))},
    "/invoices/{id}/document": {"get": by_id(operation("Счёт в PDF", FILE))},
    "/greetings/{id}/audio": {"get": by_id(operation("Приветствие в base64", FILE))},
    "/calls/active": {"get": operation("Текущие звонки", listed(id=NUMBER, started_at=TIME, caller=TEXT, callee=TEXT))},
    "/calls/make": {
        "post": operation(
            "Позвонить",
            {"type": "object", "properties": {"call_id": TEXT}},
            body={"properties": {"from": TEXT, "to": TEXT}},
        )
    },
    "/calls/{call_id}": {
        "get": by_id(
            operation("Один звонок", {"type": "object", "properties": {"id": NUMBER, "duration": NUMBER}}), "call_id"
        )
    },
    "/reports/calls/daily": {
        "get": operation(
            "Звонки по дням", listed(date=TEXT, calls=NUMBER, missed=NUMBER, total_duration=NUMBER), *PERIOD
        )
    },
    "/reports/employees": {
        "get": operation(
            "Звонки сотрудников", listed(user=TEXT, incoming=NUMBER, outgoing=NUMBER, talk_time=NUMBER), *PERIOD
        )
    },
    "/queues/{id}/waiting": {
        "get": by_id(operation("Ожидающие", listed(number=TEXT, waiting_since=TIME, position=NUMBER)))
    },
    "/voicemail": {
        "get": operation(
            "Голосовая почта", listed(id=NUMBER, received_at=TIME, caller=TEXT, heard={"type": "boolean"}), *PERIOD
        )
    },
    "/audit/events": {"get": operation("Журнал событий", listed(id=NUMBER, at=TIME, user=TEXT, action=TEXT), *PERIOD)},
    "/auth/login": {
        "post": operation(
            "Вход",
            TOKENS,
            body={"type": "object", "required": ["login", "password"], "properties": {"login": TEXT, "password": TEXT}},
        )
    },
    "/auth/login/refresh": {
        "post": operation(
            "Обновить сессию",
            TOKENS,
            body={
                "type": "object",
                "required": ["refresh_token", "fingerprint"],
                "properties": {"refresh_token": TEXT, "fingerprint": TEXT},
            },
        )
    },
    "/transcripts/{recording_id}": {
        "get": by_id(
            operation("Расшифровка записи", {"type": "object", "properties": {"text": TEXT, "language": TEXT}}),
            "recording_id",
        )
    },
}


def with_other_operations(document: dict[str, Any], count: int) -> dict[str, Any]:
    """
    Return an OpenAPI 3 document with others before and after its own operations.

    :param document: it.
    :param count: how many others there are to be at least.
    """
    document = copy.deepcopy(document)
    own, paths = document["paths"], {}
    for number in range(1 + count // (len(NOUNS) * 5)):
        for noun in NOUNS:
            base = f"/v{number + 1}/{noun}"
            one = {"type": "object", "properties": PERSON}
            paths[base] = {
                "get": operation(f"Список {noun}", listed(**PERSON), "search", ("limit", NUMBER), ("offset", NUMBER)),
                "post": operation(f"Добавить {noun}", one, body=one),
            }
            paths[f"{base}/{{id}}"] = {
                "get": by_id(operation(f"Один из {noun}", one)),
                "put": by_id(operation(f"Изменить {noun}", one, body=one)),
                "delete": by_id(operation(f"Удалить {noun}", {"type": "object"})),
            }
    before = dict(list(paths.items())[: len(paths) // 2])
    document["paths"] = {
        **before,
        **own,
        **NOT_WANTED,
        **{path: one for path, one in paths.items() if path not in before},
    }
    return document

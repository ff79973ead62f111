"""Schemas of parameters, rows and responses, as OpenAPI 3.1 has them, with the names and places of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_alloincognito.sandbox.faults import Method
from airflow_provider_alloincognito.sandbox.names import (
    ERROR_FIELDS,
    PAIR_FIELDS,
    RECORDING_FIELDS,
    REQUIRED,
    RESULT_FIELDS,
    ROW_FIELDS,
)
from airflow_provider_alloincognito.sandbox.parameters import PERIOD_FORMATS, period_pattern
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

Schema = dict[str, Any]
REF = "#/components/schemas/"
_WITH_OFFSET = ("iso_offset", "iso_z")  # OpenAPI's format date-time is nothing else
_NULL = "null"
_CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    "direction": ("Направление вызова", {"0": "все", "1": "исходящие", "2": "входящие"}),
    "isCallRecord": ("Флаг возврата только звонков с записью разговора", {"0": "все", "1": "с записями"}),
    "isRead": ("Флаг наличия записи в голосовом почтовом ящике", {"0": "не прочтенные", "1": "прочтенные"}),
}
_PARAMETERS: dict[str, Schema] = {
    "numbers": {"type": "array", "items": {"type": "string"}, "description": "Номера, по которым составляется список"},
    "periodStart": {"description": "Начало периода"},
    "periodEnd": {"description": "Конец периода"},
    "durationFrom": {
        "type": ["integer", _NULL],
        "minimum": 0,
        "description": "Ограничение по длительности, мин. длительность, сек",
    },
    "durationTo": {
        "type": ["integer", _NULL],
        "minimum": 0,
        "description": "Ограничение по длительности, макс. длительность, сек",
    },
    "recordFileId": {"type": "string", "format": "uuid", "description": "Идентификатор файла записи разговора"},
    "requestHash": {"type": "string", "description": "Хеш запроса из ответа на другой запрос"},
}
_ROW: dict[str, Schema] = {
    "callId": {"type": "integer", "format": "int64", "description": "Идентификатор звонка"},
    "startTime": {"description": "Дата и время начала звонка"},
    "direction": {"description": "Направление вызова"},
    "callerNumber": {"type": "string", "description": "Номер вызывающего абонента (А)"},
    "calledNumber": {"type": "string", "description": "Номер вызываемого абонента (Б)"},
    "duration": {"type": "integer", "description": "Длительность разговора, сек"},
    "waitDuration": {"type": "integer", "description": "Время ожидания ответа, сек"},
    "status": {
        "type": "string",
        "enum": ["answered", "missed", "voicemail"],
        "description": "Результат вызова: отвечен, пропущен, голосовая почта",
    },
    "recordFileId": {
        "type": ["string", _NULL],
        "format": "uuid",
        "description": "Идентификатор файла записи разговора; null - записи нет",
    },
    "isVoicemail": {"type": "boolean", "description": "Оставлено голосовое сообщение"},
    "isRead": {"type": ["integer", _NULL], "description": "Голосовое сообщение прослушано"},
    "comment": {"description": "Комментарий", "type": ["string", _NULL]},
}
_DIRECTIONS = ("исходящий", "входящий")
_PARTIES = ("callerNumber", "calledNumber")
_ANSWER: dict[str, Schema] = {
    "errorMessage": {"type": ["string", _NULL], "description": "Сообщение об ошибке"},
    "errorCode": {"description": "Код ошибки"},
    "apiName": {"type": "string", "description": "Название метода"},
    "apiVersion": {"type": "integer", "description": "Версия API"},
    "callTime": {"type": "string", "description": "Время запроса"},
    "responseDuration": {"type": "string", "description": "Длительность ответа"},
    "code": {"description": "Код результата"},
    "requestHash": {"type": "string", "description": "Хеш запроса"},
    "rowset": {"type": "array", "items": {"$ref": f"{REF}Call"}, "description": "Список вызовов"},
    "file_NAME": {"type": ["string", _NULL], "description": "Имя файла записи"},
    "fileContent": {"type": "string", "description": "Файл записи mp3, кодированный в base64"},
    "accessToken": {"type": "string", "description": "Access token"},
    "accessTokenExpiredIn": {"type": ["string", _NULL], "description": "Дата протухания access token"},
    "refreshToken": {"type": "string", "description": "Refresh token"},
    "refreshTokenExpiredIn": {"type": ["string", _NULL], "description": "Дата протухания refresh token"},
}
_SCALAR = {int: "integer", str: "string", bool: "boolean", type(None): _NULL}


def parameter(settings: SandboxSettings, name: str, place: str) -> Schema:
    """
    Return the schema of a parameter.

    :param name: its name in the API's text
    :param place: where it is: ``json``, ``form``, ``query`` or ``path``
    """
    nullable = place == "json" and settings.null_parameters
    if name in _CHOICES:
        return _choice(settings, name, nullable=nullable)
    schema = dict(_PARAMETERS[name])
    if name in ("periodStart", "periodEnd"):
        return schema | _period(settings, schema["description"])
    if place == "json" and name == "numbers" and settings.list_format == "comma":
        return {"type": "string", "description": f"{schema['description']}, через запятую"}
    return schema if nullable else _without_null(schema)


def call_list_request(settings: SandboxSettings, place: str) -> Schema:
    """
    Return the schema of the body of a call list's request.

    :param place: ``json`` or ``form``
    """
    names = settings.parameters["getcalllist"]
    return _object(
        {server: parameter(settings, name, place) for server, name in names.items()},
        required=[server for server, name in names.items() if name in REQUIRED],
        closed=not settings.allow_unknown_fields,
    )


def rows(settings: SandboxSettings) -> dict[str, Schema]:
    """Return the schemas of a row, and of what it is made of."""
    fields = {name: settings.row_fields.get(name, name) for name in ROW_FIELDS}
    schemas = {server: (name, _row_field(settings, name)) for name, server in fields.items() if server is not None}
    parties = {server: schema for server, (name, schema) in schemas.items() if name in _PARTIES}
    others = {server: schema for server, (name, schema) in schemas.items() if name not in _PARTIES}
    call = {"description": "Вызов", "allOf": [{"$ref": f"{REF}CallParties"}, _object(others)]}
    return {"CallParties": _object(parties), "Call": call}


def answer(settings: SandboxSettings, method: Method) -> Schema:
    """
    Return the schema of a method's response.

    :param method: the method; that of ``getrequestresultbyhash`` depends on the request
    """
    match method:
        case "create" | "refresh":
            fields: tuple[str, ...] = PAIR_FIELDS
        case "getcalllist":
            fields = (*RESULT_FIELDS, "rowset")
        case "getcallrecordfile":
            fields = (*RECORDING_FIELDS, *RESULT_FIELDS)
        case _:
            possible = [{"$ref": f"{REF}{name}"} for name in ("CallListAnswer", "RecordFileAnswer")]
            return {"description": "Зависит от типа повторяемого запроса", "anyOf": possible}
    if "rowset" in fields and settings.place_of("rowset", method) == "":
        if settings.error_status != settings.success_status:
            return _ANSWER["rowset"]
        return {"description": "Список вызовов или ошибка", "anyOf": [_ANSWER["rowset"], {"$ref": f"{REF}ErrorAnswer"}]}
    placed = _placed(settings, method, fields)
    if fields == PAIR_FIELDS and settings.pair_envelope == "bare":
        return placed
    return {"allOf": [{"$ref": f"{REF}ErrorAnswer"}, placed]}


def error_answer(settings: SandboxSettings) -> Schema:
    """Return the schema of the part of a response that says whether there was an error."""
    schema = _placed(settings, "*", ERROR_FIELDS)
    place = settings.place_of("error", "*")
    if place in schema["properties"] and settings.no_error in ("null", "absent"):
        schema["properties"][place]["type"] = ["object", _NULL]
    return schema


def _choice(settings: SandboxSettings, name: str, *, nullable: bool) -> Schema:
    title, meanings = _CHOICES[name]
    spellings: Mapping[Any, Any] = settings.request_values.get(name) or {  # type: ignore[call-overload]
        number: int(number) for number in meanings
    }
    written = list(spellings.values())
    kinds = list(dict.fromkeys(_SCALAR[type(value)] for value in written))
    said = ", ".join(f"{_text(value)} - {meanings[number]}" for number, value in spellings.items())
    unset = "null" if nullable else "пусто"
    if nullable:
        kinds, written = [*kinds, _NULL], [*written, None]
    return {
        "type": kinds if len(kinds) > 1 else kinds[0],
        "enum": written,
        "description": f"{title}: {unset} - без ограничений, {said}",
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _period(settings: SandboxSettings, title: str) -> Schema:
    style = settings.period_format
    if style in ("epoch_s", "epoch_ms"):
        unit = "секунды" if style == "epoch_s" else "миллисекунды"
        return {"type": "integer", "format": "int64", "description": f"{title}: {unit} с 01.01.1970 UTC"}
    schema: Schema = {"type": "string", "description": f"{title}, {PERIOD_FORMATS[style]}{_zone(settings, style)}"}
    return schema | ({"format": "date-time"} if style in _WITH_OFFSET else {"pattern": period_pattern(style)})


def _zone(settings: SandboxSettings, style: str) -> str:
    return "" if style in _WITH_OFFSET else f", часовой пояс {settings.timezone}"


def _row_field(settings: SandboxSettings, name: str) -> Schema:
    schema = dict(_ROW[name])
    style = settings.start_format
    if name == "startTime":
        if style in ("epoch_s", "epoch_ms"):
            unit = "секунды" if style == "epoch_s" else "миллисекунды"
            schema |= {"type": "integer", "format": "int64"}
            schema["description"] += f": {unit} с 01.01.1970 UTC"
        else:
            schema["type"] = "string"
            schema["description"] += f", {PERIOD_FORMATS[style]}{_zone(settings, style)}"
            schema |= {"format": "date-time"} if style in _WITH_OFFSET else {}
    if name == "direction":
        written = list(settings.row_directions.values())
        said = ", ".join(f"{_text(value)} - {meaning}" for value, meaning in zip(written, _DIRECTIONS, strict=True))
        schema |= {"type": _SCALAR[type(written[0])], "enum": written}
        schema["description"] += f": {said}"
    if name == "comment" and settings.awkward_rows:
        del schema["type"]
    if settings.numbers_as_text:
        if schema.get("type") == "integer":
            schema = {name: value for name, value in schema.items() if name not in ("format", "enum")}
            schema["type"] = "string"
        elif schema.get("type") == ["integer", _NULL]:
            schema["type"] = ["string", _NULL]
    return schema


def _placed(settings: SandboxSettings, method: str, fields: tuple[str, ...]) -> Schema:
    """Return the object with these fields in their places."""
    schema = _object({})
    for field in fields:
        place = settings.place_of(field, method)
        if place is None:
            continue
        *parents, name = place.split(".")
        inner = schema
        for parent in parents:
            inner = inner["properties"].setdefault(parent, _object({}))
        inner["properties"][name] = _answer_field(settings, field)
    return schema


def _answer_field(settings: SandboxSettings, field: str) -> Schema:
    schema = dict(_ANSWER[field])
    text = settings.numbers_as_text
    match field:
        case "errorCode":
            codes = (settings.error_code, 401 if settings.auth_error_code is None else settings.auth_error_code)
            fine = {"zero": 0, "ok": 0, "zero_string": "0"}.get(settings.no_error, "" if text else codes[0])
            kinds = {_SCALAR[type(fine)], *("string" if text else _SCALAR[type(code)] for code in codes)}
            schema["type"] = [*sorted(kinds), _NULL]
        case "code":
            code = settings.result_code
            schema["type"] = "string" if text and code is not None else [_SCALAR[type(code)], _NULL]
        case "apiVersion" if text:
            schema["type"] = "string"
        case "rowset" if settings.empty_rowset == "null":
            schema["type"] = ["array", _NULL]
    return schema


def _without_null(schema: Schema) -> Schema:
    kind = schema["type"]
    return schema | {"type": next(one for one in kind if one != _NULL)} if isinstance(kind, list) else schema


def _object(properties: Schema, *, required: list[str] | None = None, closed: bool = False) -> Schema:
    schema: Schema = {"type": "object"}
    if required:
        schema["required"] = required
    schema["properties"] = properties
    return schema | {"additionalProperties": False} if closed else schema

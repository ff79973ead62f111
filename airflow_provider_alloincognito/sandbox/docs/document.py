"""The description of the sandbox's API, as its settings make it: an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from typing import Any, Literal

from airflow_provider_alloincognito.sandbox.docs import schemas
from airflow_provider_alloincognito.sandbox.docs.schemas import REF
from airflow_provider_alloincognito.sandbox.docs.versions import in_version
from airflow_provider_alloincognito.sandbox.faults import METHODS, Method
from airflow_provider_alloincognito.sandbox.names import PARAMETERS, REQUIRED
from airflow_provider_alloincognito.sandbox.parameters import MEDIA_TYPES
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.validation import VALIDATION_STATUS

_ABOUT: dict[Method, tuple[str, str, str]] = {
    "create": (
        "Создание пары refresh/access токенов",
        "authorization token",
        "При создании новой пары предыдущая становится не валидной.",
    ),
    "refresh": (
        "Получение свежей пары access и refresh токенов",
        "refresh token",
        "Выполняется, после того как истек срок жизни access токена. Refresh token действует один раз.",
    ),
    "getcalllist": (
        "Список вызовов за период",
        "access token",
        "Незаданные параметры ничего не ограничивают.",
    ),
    "getcallrecordfile": (
        "Файл записи разговора",
        "access token",
        "Запись в формате mp3, кодированная в base64.",
    ),
    "getrequestresultbyhash": (
        "Получение результатов ранее выполнявшегося запроса",
        "access token",
        "Ответ зависит от типа повторяемого запроса. Хеш запроса - из любого другого ответа.",
    ),
}
_ANSWERS: dict[Method, str] = {
    "create": "TokenPair",
    "refresh": "TokenPair",
    "getcalllist": "CallListAnswer",
    "getcallrecordfile": "RecordFileAnswer",
    "getrequestresultbyhash": "RequestResultAnswer",
}


def describe(settings: SandboxSettings, version: Literal["2.0", "3.0", "3.1"] | None = None) -> dict[str, Any]:
    """
    Return the document.

    :param settings: of the sandbox
    :param version: None: the one that the settings name
    """
    docs = settings.docs
    methods = [method for method in METHODS if method not in docs.left_out]
    paths = {
        _path(settings, method): {settings.verb_of(method).lower(): _operation(settings, method)} for method in methods
    }
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Интеграционные API",
            "version": "1.0",
            "description": "Методы оператора связи для сторонних приложений и систем.",
        },
        "servers": [{"url": docs.base or "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(settings),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
    return in_version(document, version or docs.version)


def _path(settings: SandboxSettings, method: Method) -> str:
    path = settings.paths[method].removeprefix(settings.docs.base)
    for name in PARAMETERS[method]:
        path = path.replace(f"{{{name}}}", f"{{{settings.parameter_name(name)}}}")
    return path


def _operation(settings: SandboxSettings, method: Method) -> dict[str, Any]:
    title, token, note = _ABOUT[method]
    path, place = settings.paths[method], settings.place_of_parameters(method)
    in_path = [name for name in PARAMETERS[method] if f"{{{name}}}" in path]
    in_query = [name for name in PARAMETERS[method] if name not in in_path and place == "query"]
    parameters = [_parameter(settings, name, "path") for name in in_path]
    parameters += [_parameter(settings, name, "query") for name in in_query if settings.parameter_name(name)]
    operation: dict[str, Any] = {
        "tags": ["integrationapi"],
        "operationId": _operation_id(settings, method),
        "summary": title,
        "description": f"{note} Authorization: Bearer {token}.",
        "security": [{"bearer": []}],
        **({"parameters": parameters} if parameters else {}),
    }
    if PARAMETERS[method] and place != "query" and not in_path:
        operation["requestBody"] = _body(settings, method, place)
    return operation | {"responses": _responses(settings, method)}


def _operation_id(settings: SandboxSettings, method: Method) -> str:
    """Return the method's name; or, under another path, a name made of that, as generators of documents do."""
    path = _path(settings, method)
    if path.endswith(f"/{method}"):
        return method
    return "_".join((settings.verb_of(method).lower(), *re.findall(r"\w+", path)))


def _parameter(settings: SandboxSettings, name: str, place: str) -> dict[str, Any]:
    schema = schemas.parameter(settings, name, place)
    described = {
        "name": settings.parameter_name(name),
        "in": place,
        "required": name in REQUIRED,
        "description": schema.pop("description"),
        "schema": schema,
    }
    if schema["type"] == "array":
        described["explode"] = settings.list_format == "list"
    return described


def _body(settings: SandboxSettings, method: Method, place: str) -> dict[str, Any]:
    if method == "getcalllist":
        content: dict[str, Any] = {"schema": {"$ref": f"{REF}CallListRequest"}}
    else:
        (name,) = PARAMETERS[method]
        server = str(settings.parameter_name(name))
        schema = {
            "type": "object",
            "required": [server],
            "properties": {server: schemas.parameter(settings, name, place)},
        }
        content = {"schema": schema}
    if place == "form" and method == "getcalllist" and settings.numbers_field and settings.list_format == "comma":
        content["encoding"] = {settings.numbers_field: {"style": "form", "explode": False}}
    return {"required": True, "content": {MEDIA_TYPES[place]: content}}


def _responses(settings: SandboxSettings, method: Method) -> dict[str, Any]:
    def response(description: str, schema: str | None) -> dict[str, Any]:
        if schema is None:
            return {"description": description}
        return {"description": description, "content": {"application/json": {"schema": {"$ref": f"{REF}{schema}"}}}}

    responses = {str(settings.success_status): response("OK", _ANSWERS[method])}
    if method == "getrequestresultbyhash" and settings.pending_style in ("202", "empty_202"):
        responses.setdefault("202", response("Результат ещё не готов", None))
    responses.setdefault(str(settings.auth_rejection), response("Токен недействителен", "ErrorAnswer"))
    if PARAMETERS[method] and settings.validation_style in VALIDATION_STATUS:
        responses.setdefault(str(VALIDATION_STATUS[settings.validation_style]), response("Неверные параметры", None))
    responses.setdefault(str(settings.error_status), response("Ошибка", "ErrorAnswer"))
    return responses


def _schemas(settings: SandboxSettings) -> dict[str, Any]:
    place = settings.place_of_parameters("getcalllist")
    answers = {name: schemas.answer(settings, method) for method, name in _ANSWERS.items()}
    return {
        "CallListRequest": schemas.call_list_request(settings, place),
        **schemas.rows(settings),
        "ErrorAnswer": schemas.error_answer(settings),
        **answers,
    }

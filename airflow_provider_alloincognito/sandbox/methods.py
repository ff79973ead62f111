"""The API's five methods."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.types import Receive, Scope, Send

from airflow_provider_alloincognito.sandbox import envelope
from airflow_provider_alloincognito.sandbox.answers import Answer, send_answer
from airflow_provider_alloincognito.sandbox.faults import Fault
from airflow_provider_alloincognito.sandbox.query import BadQuery, CallQuery, read_query
from airflow_provider_alloincognito.sandbox.recordings import (
    dressed_base64,
    dressed_length,
    file_name,
    recording_pieces,
    recording_size,
)
from airflow_provider_alloincognito.sandbox.requests import ApiError, Asked, LoggedRequest
from airflow_provider_alloincognito.sandbox.rows import has_recording
from airflow_provider_alloincognito.sandbox.settings import Method
from airflow_provider_alloincognito.sandbox.state import SandboxState
from airflow_provider_alloincognito.sandbox.tokens import Kind, Verdict, fingerprint

_KINDS: dict[Method, Kind] = {"create": "authorization", "refresh": "refresh"}
_VERBS: dict[Method, str] = {"getcalllist": "POST"}
_SECRET_HEADERS = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
_PARAMETERS: dict[Method, str] = {"getcallrecordfile": "recordFileId", "getrequestresultbyhash": "requestHash"}
_WHY = {
    "missing": "токен не передан",
    "unknown": "токен недействителен",
    "wrong_kind": "токен не подходит для этого метода",
    "revoked": "токен отозван: создана новая пара",
    "expired": "срок жизни токена истёк",
    "early": "срок жизни access token ещё не истёк",
}


class _Request:
    """A request to a method, read from the wire."""

    def __init__(self, method: Method, scope: Scope, state: SandboxState) -> None:
        self.method = method
        self.settings = state.settings
        self.began = time.monotonic()
        self.as_of = state.now()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.verb: str = scope["method"]
        raw_query = scope["query_string"].decode("latin-1")
        self.parameters = parse_qsl(raw_query, keep_blank_values=True)
        self.token = _bearer(self.headers.get(b"authorization"))
        self.body = b""
        shown = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"] if k not in _SECRET_HEADERS}
        self.entry: LoggedRequest = state.journal.open(
            method, self.verb, scope["path"], raw_query, dict(self.parameters), shown
        )
        self.entry.token = fingerprint(self.token) if self.token else None

    def note(self, verdict: Verdict) -> None:
        """Put what the token was worth into the log."""
        self.entry.token_state = verdict.state
        self.entry.token_kind = verdict.token.kind if verdict.token else None

    def head(self, request_hash: str) -> envelope.Head:
        """Give the answer's envelope."""
        return envelope.Head(self.method, self.as_of, time.monotonic() - self.began, request_hash)


class Methods:
    """
    Serves the five methods.

    :param state: what the sandbox knows
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._random = random.Random()

    async def serve(self, method: Method, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Serve one request, as an ASGI application does.

        :param method: which method is asked for
        """
        request = _Request(method, scope, self._state)
        request.body = await _read_body(receive)
        request.entry.body = _json_or_none(request.body)
        pause = self._pause(request)
        if pause:
            # Half of the time goes by on the way there: a client may be gone before its pair is known to it.
            await asyncio.sleep(pause)
        fault = self._state.fault_queue.draw(method)
        answer = self._answer(request, fault)
        entry = request.entry
        entry.outcome, entry.rotation = answer.outcome, answer.rotation
        entry.fault = fault.kind if fault else None
        if pause:
            await asyncio.sleep(pause)
        self._state.journal.answered(entry, _status_on_the_wire(answer, fault))
        packed = b"gzip" in request.headers.get(b"accept-encoding", b"")
        await send_answer(answer, request.settings, packed, fault, receive, send)
        self._state.journal.sent(entry)

    def _pause(self, request: _Request) -> float:
        latency = request.settings.latency_of(request.method)
        return (latency if isinstance(latency, int | float) else self._random.uniform(*latency)) / 2

    def _answer(self, request: _Request, fault: Fault | None) -> Answer:
        state, settings, method = self._state, request.settings, request.method
        if state.over_the_limit():
            after = () if settings.retry_after is None else ((b"retry-after", str(settings.retry_after).encode()),)
            body = envelope.failed(settings, 429, "слишком много запросов", None)
            return Answer("rate_limited", 429, body, headers=after)
        if request.verb != (verb := _VERBS.get(method, "GET")):
            body = envelope.failed(settings, 405, f"метод вызывается через {verb}", None)
            return Answer("wrong_verb", 405, body, headers=((b"allow", verb.encode()),))
        if fault is not None and fault.instead:
            return self._faulty(request, fault)
        answer = self._carried_out(request)
        if fault is not None and fault.kind in ("error", "reject"):
            return self._faulty(request, fault, rotation=answer.rotation)
        return answer

    def _faulty(self, request: _Request, fault: Fault, rotation: bool = False) -> Answer:
        """Give the answer that stands in the place of the right one."""
        if fault.kind == "reject":
            return _rejected(request, Verdict("unknown", None), rotation)
        if fault.kind == "error":
            return self._error(request, fault.message, fault.code, rotation=rotation)
        return Answer("fault", 200, b"", rotation=rotation)

    def _carried_out(self, request: _Request) -> Answer:
        desk, settings, method = self._state.desk, request.settings, request.method
        if method in ("create", "refresh"):
            if method in settings.forbidden_methods:
                verdict, pair = desk.judge(request.token, _KINDS[method]), None
            else:
                verdict, pair = (desk.create if method == "create" else desk.refresh)(request.token, settings)
            request.note(verdict)
            if pair is not None:
                return Answer("ok", 200, envelope.pair_answer(settings, pair), rotation=True)
        else:
            verdict = desk.judge(request.token, "access")
            request.note(verdict)
        if verdict.state == "early" and settings.early_refresh_answer == "error":
            return self._error(request, _WHY["early"])
        if verdict.state != "living":
            return _rejected(request, verdict)
        if method in settings.forbidden_methods:
            body = envelope.failed(settings, 403, "нет прав на вызов метода", None)
            return Answer("forbidden", 403, body)
        if method == "getcalllist":
            return self._call_list(request)
        return self._by_parameter(request, _PARAMETERS[method])

    def _call_list(self, request: _Request) -> Answer:
        settings = request.settings
        if not request.headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            return self._error(request, "ожидается Content-Type: application/json", status=415)
        try:
            query = read_query(settings, request.entry.body)
        except BadQuery as e:
            return self._error(request, str(e))
        text = self._state.hashes.register(settings, Asked(request.as_of, query))
        if settings.call_list_answer == "hash_only":
            return Answer("ok", 200, envelope.good(settings, request.head(text)))
        return self._rows(request, query, request.as_of, text)

    def _by_parameter(self, request: _Request, name: str) -> Answer:
        values = [value for parameter, value in request.parameters if parameter == name]
        others = {parameter for parameter, _ in request.parameters} - {name}
        if len(values) != 1 or not values[0]:
            return self._error(request, f"ожидается один параметр {name}")
        if others and not request.settings.allow_unknown_fields:
            return self._error(request, f"неизвестные параметры: {', '.join(sorted(others))}")
        if name == "requestHash":
            return self._by_hash(request, values[0])
        if not _is_uuid(values[0]):
            return self._error(request, "recordFileId: ожидается uuid")
        return self._recording(request, values[0], request.as_of, None)

    def _by_hash(self, request: _Request, text: str) -> Answer:
        settings, hashes = request.settings, self._state.hashes
        asked = hashes.find(settings, text)
        if asked is None:
            return self._error(request, "запрос с таким requestHash не найден", status=settings.unknown_hash_status)
        if not hashes.is_ready(asked):
            return _pending(request, text)
        as_of = asked.as_of
        if isinstance(asked.request, ApiError):
            error = asked.request
            body = envelope.failed(settings, error.code, error.message, request.head(text))
            return Answer("error", error.status, body)
        if settings.hash_reruns_query:
            as_of = request.as_of
            text = hashes.register(settings, Asked(as_of, asked.request), ready=True)
        if isinstance(asked.request, CallQuery):
            request.method = "getcalllist"
            return self._rows(request, asked.request, as_of, text)
        request.method = "getcallrecordfile"
        return self._recording(request, asked.request, as_of, text)

    def _rows(self, request: _Request, query: CallQuery, as_of: datetime, text: str) -> Answer:
        settings, rows = request.settings, self._state.rows
        before, after = envelope.around(settings, request.head(text), "rowset", {})
        opening, closing = (b"[\n      ", b"\n    ]") if settings.pretty else (b"[", b"]")

        def pieces() -> Iterator[bytes]:
            found = rows.pieces(settings, query, as_of)
            first = next(found, None)
            if first is None:
                yield settings.empty_rowset.encode()
                return
            yield opening + first
            yield from found
            yield closing

        return Answer("ok", 200, before, pieces, after, slow=not rows.is_quick(settings, query))

    def _recording(self, request: _Request, record_file_id: str, as_of: datetime, text: str | None) -> Answer:
        settings, state = request.settings, self._state
        found = state.calls.find_recording(settings, record_file_id)
        if found is None or not has_recording(settings, found[1], _ms_since(found[0], as_of)):
            return self._error(request, f"запись {record_file_id} не найдена", number=found and found[1].caller)
        day, call = found
        text = text or state.hashes.register(settings, Asked(as_of, record_file_id))
        name = {} if settings.file_name == "absent" else {"file_NAME": file_name(settings, day, call)}
        before, after = envelope.around(settings, request.head(text), "fileContent", name)
        size = recording_size(settings, call)
        return Answer(
            "ok",
            200,
            before + b'"',
            lambda: dressed_base64(settings, recording_pieces(record_file_id, size)),
            b'"' + after,
            pieces_length=dressed_length(settings, size),
        )

    def _error(
        self,
        request: _Request,
        message: str,
        code: int | str | None = None,
        *,
        status: int | None = None,
        number: str | None = None,
        rotation: bool = False,
    ) -> Answer:
        """Give the API's own error; its text quotes a phone number, as those of real servers do."""
        settings = request.settings
        number = number or self._some_number(request)
        quoted = f"{message} (абонент {_written(number, request.entry.number)})"
        error = ApiError(settings.error_code if code is None else code, quoted, status or settings.error_status)
        text = self._state.hashes.register(settings, Asked(request.as_of, error))
        body = envelope.failed(settings, error.code, error.message, request.head(text))
        return Answer("error", error.status, body, rotation=rotation)

    @staticmethod
    def _some_number(request: _Request) -> str:
        body = request.entry.body
        numbers = body.get(request.settings.numbers_field) if isinstance(body, dict) else None
        if isinstance(numbers, list) and numbers and isinstance(numbers[0], str) and len(numbers[0]) >= 11:
            return numbers[0].lstrip("+")
        return "79161234567"


def _rejected(request: _Request, verdict: Verdict, rotation: bool = False) -> Answer:
    settings = request.settings
    status = settings.auth_rejection
    code = settings.auth_error_code
    if code is None:
        code = 401 if status == 200 else status
    quoted = f": {request.token}" if settings.quote_tokens and request.token else ""
    body = envelope.failed(settings, code, _WHY.get(verdict.state, _WHY["unknown"]) + quoted, None)
    headers = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
    return Answer("rejected", status, body, headers=headers, rotation=rotation)


def _pending(request: _Request, text: str) -> Answer:
    settings, head = request.settings, request.head(text)
    if settings.pending_style == "error_code":
        body = envelope.failed(settings, settings.pending_error_code, "запрос ещё выполняется", head)
        return Answer("pending", settings.error_status, body)
    status = 202 if settings.pending_style == "202" else 200
    return Answer("pending", status, envelope.good(settings, head))


def _status_on_the_wire(answer: Answer, fault: Fault | None) -> int | None:
    if fault is None:
        return answer.status
    if fault.kind == "reset" and fault.after_bytes is None and fault.after_fraction is None:
        return None
    if fault.kind == "status":
        return fault.status
    return 200 if fault.kind in ("html", "empty_body", "no_result") else answer.status


def _bearer(header: bytes | None) -> str | None:
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return body


def _json_or_none(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _ms_since(day: Any, moment: datetime) -> int:
    return int((moment - datetime(day.year, day.month, day.day)).total_seconds() * 1000)


def _written(number: str, turn: int) -> str:
    """Write a phone number as people and servers do, a different way each time."""
    n = number[-10:]
    ways = (
        number,
        f"+7{n}",
        f"8{n}",
        f"+7 ({n[:3]}) {n[3:6]}-{n[6:8]}-{n[8:]}",
        f"8 {n[:3]} {n[3:6]} {n[6:8]} {n[8:]}",
        f"+7-{n[:3]}-{n[3:6]}-{n[6:]}",
    )
    return ways[turn % len(ways)]

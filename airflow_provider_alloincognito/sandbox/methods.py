"""The API's five methods."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from starlette.types import Receive, Scope, Send

from airflow_provider_alloincognito.sandbox import envelope, recordings
from airflow_provider_alloincognito.sandbox.faults import Fault, Method
from airflow_provider_alloincognito.sandbox.parameters import BadRequest, read_parameters, read_query
from airflow_provider_alloincognito.sandbox.requests import ApiError, CallQuery, HttpRequest, StoredRequest, read_body
from airflow_provider_alloincognito.sandbox.responses import Response, retry_after, send_response, spoil
from airflow_provider_alloincognito.sandbox.rows import has_recording
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.state import SandboxState
from airflow_provider_alloincognito.sandbox.tokens import TokenCheck, fingerprint
from airflow_provider_alloincognito.sandbox.validation import invalid_request

_REJECTIONS = {
    "missing": "токен не передан",
    "unknown": "токен недействителен",
    "wrong_kind": "токен не подходит для этого метода",
    "revoked": "токен отозван: создана новая пара",
    "expired": "срок жизни токена истёк",
    "early": "срок жизни access token ещё не истёк",
}


class _MethodRequest(HttpRequest):
    """A request to a method, and its entry in the log."""

    def __init__(self, method: Method, scope: Scope, in_path: Mapping[str, str], state: SandboxState) -> None:
        super().__init__(scope, in_path)
        self.method = method
        self.settings = state.settings
        self.began = time.monotonic()
        self.as_of = state.now()
        self.entry = state.request_log.add(
            method,
            self.verb,
            self.path,
            self.raw_query,
            query={name: texts[-1] for name, texts in self.query.items()},
            headers=self.safe_headers,
            token=fingerprint(self.token) if self.token else None,
        )

    def note_token(self, checked: TokenCheck) -> None:
        """Note in the log whether the token was valid."""
        self.entry.token_state = checked.state
        self.entry.token_kind = checked.token.kind if checked.token else None

    def head(self, request_hash: str) -> envelope.Head:
        """Return what the response says about this request."""
        return envelope.Head(self.method, self.as_of, time.monotonic() - self.began, request_hash)


class Methods:
    """
    Serves the five methods.

    :param state: the sandbox's state
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._random = random.Random()

    async def serve(
        self, method: Method, in_path: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """
        Serve one request, as an ASGI application does.

        :param method: the method whose path was requested
        :param in_path: the parameters in the path
        """
        request = _MethodRequest(method, scope, in_path, self._state)
        entry = request.entry
        request.decode_body(await read_body(receive))
        entry.body = request.body
        latency = request.settings.latency_of(method)
        pause = (latency if isinstance(latency, int | float) else self._random.uniform(*latency)) / 2
        if pause:
            # Half of the latency before the request is carried out: a client may be gone before it knows its new pair.
            await asyncio.sleep(pause)
        fault = self._state.fault_queue.draw(method)
        response = self._respond(request, fault)
        entry.outcome, entry.rotation = response.outcome, response.rotation
        entry.fault = fault.kind if fault else None
        if pause:
            await asyncio.sleep(pause)
        if fault is not None:
            response = await spoil(response, fault)
        self._state.request_log.note_status(entry, None if fault and fault.resets_at_once else response.status)
        accepts_gzip = b"gzip" in request.headers.get(b"accept-encoding", b"")
        await send_response(response, request.settings, accepts_gzip, fault, receive, send)
        entry.note_sent()

    def _respond(self, request: _MethodRequest, fault: Fault | None) -> Response:
        settings, verb = request.settings, request.settings.verb_of(request.method)
        if self._state.over_the_limit():
            status = settings.rate_limit_status
            body = envelope.with_error(settings, request.method, status, "слишком много запросов", None)
            pause = retry_after(settings.retry_after, as_date=settings.retry_after_date)
            return Response("rate_limited", status, body, headers=pause)
        if request.verb != verb:
            body = envelope.with_error(settings, request.method, 405, f"метод вызывается через {verb}", None)
            return Response("wrong_verb", 405, body, headers=((b"allow", verb.encode()),))
        if fault is None:
            return self._carry_out(request)
        response = Response("fault", 200, b"") if fault.instead else self._carry_out(request)
        rotation = response.rotation
        if fault.kind == "reject":
            response = _reject(request, TokenCheck("unknown", None))
        elif fault.kind == "error":
            response = self._error(request, fault.message, fault.code)
        return replace(response, rotation=rotation)

    def _carry_out(self, request: _MethodRequest) -> Response:
        tokens, settings, method = self._state.tokens, request.settings, request.method
        forbidden = method in settings.forbidden_methods
        pair = None
        if method == "create" or method == "refresh":
            if forbidden:
                checked = tokens.check(request.token, "authorization" if method == "create" else "refresh")
            else:
                checked, pair = getattr(tokens, method)(request.token, settings)
        else:
            checked = tokens.check(request.token, "access")
        request.note_token(checked)
        if pair is not None:
            return Response("ok", settings.success_status, envelope.with_pair(settings, method, pair), rotation=True)
        if checked.state == "early" and settings.early_refresh_answer == "error":
            return self._error(request, _REJECTIONS["early"])
        if not checked.valid:
            return _reject(request, checked)
        if forbidden:
            body = envelope.with_error(settings, request.method, 403, "нет прав на вызов метода", None)
            return Response("forbidden", 403, body)
        try:
            if method == "getcalllist":
                return self._call_list(request, read_query(settings, request))
            parameters = read_parameters(settings, method, request)
        except BadRequest as e:
            return self._bad_request(request, e)
        if method == "getcallrecordfile":
            return self._recording(request, parameters["recordFileId"], request.as_of, None)
        return self._by_hash(request, parameters["requestHash"])

    def _bad_request(self, request: _MethodRequest, error: BadRequest) -> Response:
        style = request.settings.validation_style
        if style == "envelope":
            return self._error(request, str(error), status=415 if error.problems[0].kind == "media_type" else None)
        return invalid_request(style, request, error)

    def _call_list(self, request: _MethodRequest, query: CallQuery) -> Response:
        settings = request.settings
        text = self._state.hashes.register(settings, StoredRequest(request.as_of, query))
        if settings.call_list_answer == "hash_only":
            return Response("ok", settings.success_status, envelope.without_error(settings, request.head(text)))
        if settings.call_list_answer == "pending":
            return _pending(request, text)
        return self._rows(request, query, request.as_of, text)

    def _by_hash(self, request: _MethodRequest, text: str) -> Response:
        settings, hashes = request.settings, self._state.hashes
        stored = hashes.find(settings, text)
        if stored is None:
            return self._error(request, "запрос с таким requestHash не найден", status=settings.unknown_hash_status)
        if not hashes.is_ready(stored):
            return _pending(request, text)
        as_of = stored.as_of
        if isinstance(stored.request, ApiError):
            error = stored.request
            body = envelope.with_error(settings, request.method, error.code, error.message, request.head(text))
            return Response("error", error.status, body)
        if settings.hash_reruns_query:
            as_of = request.as_of
            text = self._hash_of_rerun(settings, text, StoredRequest(as_of, stored.request))
        if isinstance(stored.request, CallQuery):
            request.method = "getcalllist"
            return self._rows(request, stored.request, as_of, text)
        request.method = "getcallrecordfile"
        return self._recording(request, stored.request, as_of, text)

    def _hash_of_rerun(self, settings: SandboxSettings, text: str, stored: StoredRequest) -> str:
        match settings.rerun_hash:
            case "same":
                return text
            case "absent":
                return ""
        return self._state.hashes.register(settings, stored, ready=True)

    def _rows(self, request: _MethodRequest, query: CallQuery, as_of: datetime, text: str) -> Response:
        settings, rows = request.settings, self._state.rows
        before, after = envelope.around(settings, request.head(text), "rowset", {})
        opening, closing = (b"[\n      ", b"\n    ]") if settings.pretty else (b"[", b"]")

        def blocks() -> Iterator[bytes]:
            found = rows.blocks(settings, query, as_of)
            first = next(found, None)
            if first is None:
                yield settings.empty_rowset.encode()
                return
            yield opening + first
            yield from found
            yield closing

        return Response("ok", settings.success_status, before, blocks, after, slow=not rows.is_quick(settings, query))

    def _recording(self, request: _MethodRequest, record_file_id: str, as_of: datetime, text: str | None) -> Response:
        settings, state = request.settings, self._state
        found = state.calls.find_recording(settings, record_file_id)
        if found is None or not has_recording(settings, found[1], _ms_since(found[0], as_of)):
            return self._error(request, f"запись {record_file_id} не найдена", number=found and found[1].caller)
        day, call = found
        text = text if text is not None else state.hashes.register(settings, StoredRequest(as_of, record_file_id))
        name = {} if settings.file_name == "absent" else {"file_NAME": recordings.file_name(settings, day, call)}
        before, after = envelope.around(settings, request.head(text), "fileContent", name)
        size = recordings.recording_size(settings, call)
        return Response(
            "ok",
            settings.success_status,
            before + b'"',
            lambda: recordings.base64_text(settings, recordings.recording_blocks(record_file_id, size)),
            b'"' + after,
            blocks_length=recordings.base64_length(settings, size),
        )

    def _error(
        self,
        request: _MethodRequest,
        message: str,
        code: int | str | None = None,
        *,
        status: int | None = None,
        number: str | None = None,
    ) -> Response:
        """Return the API's own error; its text quotes a phone number, as those of real servers do."""
        settings = request.settings
        quoted = f"{message} (абонент {_written(number or _some_number(request), request.entry.number)})"
        error = ApiError(settings.error_code if code is None else code, quoted, status or settings.error_status)
        text = self._state.hashes.register(settings, StoredRequest(request.as_of, error))
        return Response(
            "error", error.status, envelope.with_error(settings, request.method, error.code, quoted, request.head(text))
        )


def _some_number(request: _MethodRequest) -> str:
    body = request.body if isinstance(request.body, dict) else request.query
    numbers = body.get(request.settings.numbers_field or "")
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], str) and len(numbers[0]) >= 11:
        return numbers[0].lstrip("+")
    return "79161234567"


def _reject(request: _MethodRequest, checked: TokenCheck) -> Response:
    settings = request.settings
    status, code = settings.auth_rejection, settings.auth_error_code
    if code is None:
        code = 401 if status == 200 else status
    quoted = f": {request.token}" if settings.quote_tokens and request.token else ""
    body = envelope.with_error(settings, request.method, code, _REJECTIONS[checked.state] + quoted, None)
    return Response("rejected", status, body, headers=((b"www-authenticate", b"Bearer"),) if status == 401 else ())


def _pending(request: _MethodRequest, text: str) -> Response:
    settings, head = request.settings, request.head(text)
    if settings.pending_style == "error_code":
        body = envelope.with_error(
            settings, request.method, settings.pending_error_code, "запрос ещё выполняется", head
        )
        return Response("pending", settings.error_status, body)
    if settings.pending_style == "null_rowset":
        return Response("pending", settings.success_status, envelope.null_rowset(settings, head))
    status = settings.success_status if settings.pending_style == "no_rowset" else 202
    body = b"" if settings.pending_style == "empty_202" else envelope.without_error(settings, head)
    return Response("pending", status, body)


def _ms_since(day: date, moment: datetime) -> int:
    return int((moment - datetime(day.year, day.month, day.day)).total_seconds() * 1000)


def _written(number: str, turn: int) -> str:
    """Write a phone number as people and servers do, differently each time."""
    n = number[-10:]
    forms = (
        number,
        f"+7{n}",
        f"8{n}",
        f"+7 ({n[:3]}) {n[3:6]}-{n[6:8]}-{n[8:]}",
        f"8 {n[:3]} {n[3:6]} {n[6:8]} {n[8:]}",
        f"+7-{n[:3]}-{n[3:6]}-{n[6:]}",
    )
    return forms[turn % len(forms)]

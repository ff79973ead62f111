"""
API documents as strangers write them, each with a sandbox that speaks exactly that, and where the document is found.

``documents/expected/NAME.json`` has what ``discover`` must propose for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from other_operations import with_other_operations

from airflow_provider_alloincognito.sandbox.presets import RENAMED

FOLDER = Path(__file__).parent / "documents"
NO_FIELDS = {"apiName": None, "apiVersion": None, "callTime": None, "responseDuration": None, "code": None}


@dataclass(frozen=True)
class ApiDocument:
    """
    A document, and the server that it describes.

    :param name: what it is.
    :param file: it, in the folder ``documents``; empty if the sandbox describes itself.
    :param docs: where the server has it: the sandbox's settings ``docs``.
    :param sandbox: how the server speaks: the sandbox's other settings.
    :param arguments: more arguments for ``discover``.
    :param environment: variables for it.
    :param code: its exit code.
    :param change: what becomes of the text of the file.
    """

    name: str
    file: str
    docs: dict[str, Any]
    sandbox: dict[str, Any]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    code: int = 0
    change: Callable[[str], str] = str

    @property
    def text(self) -> str:
        """The document."""
        return self.change((FOLDER / self.file).read_text())

    @property
    def settings(self) -> dict[str, Any]:
        """The sandbox's."""
        return {**self.sandbox, "docs": {**self.docs, **({"text": self.text} if self.file else {})}}

    @property
    def expected(self) -> dict[str, Any]:
        """What must be proposed."""
        return dict(json.loads((FOLDER / "expected" / f"{self.name}.json").read_text()))


def _many_operations(text: str) -> str:
    return json.dumps(with_other_operations(json.loads(text), 160), ensure_ascii=False)


SPRINGFOX: dict[str, Any] = {
    "create_path": "/vats/integration/v1/auth/tokens/issue",
    "refresh_path": "/vats/integration/v1/auth/tokens/prolong",
    "call_list_path": "/vats/integration/v1/cdr",
    "record_file_path": "/vats/integration/v1/cdr/media",
    "request_result_path": "/vats/integration/v1/queries",
    "numbers_field": "msisdnList",
    "request_fields": {
        "periodStart": "beginDate",
        "periodEnd": "endDate",
        "direction": "callKind",
        "durationFrom": "minDuration",
        "durationTo": "maxDuration",
        "isCallRecord": "onlyWithRecording",
        "isRead": "voicemailRead",
        "recordFileId": "mediaGuid",
        "requestHash": "queryHash",
    },
    "request_values": {
        "direction": {"0": "ANY", "1": "OUTGOING", "2": "INCOMING"},
        "isCallRecord": {"0": False, "1": True},
        "isRead": {"0": False, "1": True},
    },
    "period_format": "iso",
    "start_format": "iso",
    "pair_envelope": "result",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "data.content",
        "requestHash": "data.queryHash",
        "fileContent": "data.fileBody",
        "file_NAME": "data.fileTitle",
        "errorCode": "error.code",
        "errorMessage": "error.text",
        "accessToken": "data.accessJwt",
        "accessTokenExpiredIn": "data.accessJwtExpiresAt",
        "refreshToken": "data.refreshJwt",
        "refreshTokenExpiredIn": "data.refreshJwtExpiresAt",
    },
    "row_fields": {
        "callId": "cdrId",
        "startTime": "startedAt",
        "direction": "dir",
        "callerNumber": "aNumber",
        "calledNumber": "bNumber",
        "duration": "conversationSec",
        "waitDuration": "ringSec",
        "status": "answered",
        "recordFileId": "mediaGuid",
        "isVoicemail": "voicemail",
        "isRead": "voicemailRead",
        "comment": None,
    },
    "validation_style": "spring",
}

NESTJS: dict[str, Any] = {
    "create_path": "/api/integration/session",
    "refresh_path": "/api/integration/session/refresh",
    "call_list_path": "/api/integration/calls",
    "record_file_path": "/api/integration/calls/{recordFileId}/audio",
    "request_result_path": "/api/integration/jobs/{requestHash}",
    "verbs": {"create": "POST", "refresh": "POST", "getcalllist": "GET"},
    "numbers_field": "phones",
    "request_fields": {
        "periodStart": "since",
        "periodEnd": "until",
        "direction": "way",
        "durationFrom": "durationGte",
        "durationTo": "durationLte",
        "isCallRecord": "hasRecord",
        "isRead": None,
        "recordFileId": "recordUuid",
        "requestHash": "jobId",
    },
    "request_values": {"direction": {"1": "out", "2": "in"}, "isCallRecord": {"0": False, "1": True}},
    "period_format": "epoch_s",
    "list_format": "comma",
    "start_format": "iso_offset",
    "expiry_format": "epoch_s",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "payload.list.rows",
        "requestHash": "payload.jobId",
        "fileContent": "payload.data",
        "file_NAME": "payload.name",
        "errorCode": "err.errCode",
        "errorMessage": "err.errText",
        "accessToken": "jwt",
        "accessTokenExpiredIn": "jwtExpires",
        "refreshToken": "refresh",
        "refreshTokenExpiredIn": "refreshExpires",
    },
    "row_fields": {
        "callId": "uid",
        "startTime": "when",
        "direction": "way",
        "callerNumber": "from",
        "calledNumber": "to",
        "duration": "billsec",
        "waitDuration": "waitsec",
        "status": "disposition",
        "recordFileId": "recordUuid",
        "isVoicemail": None,
        "isRead": None,
        "comment": None,
    },
}

FASTAPI: dict[str, Any] = {
    "create_path": "/telephony/token",
    "refresh_path": "/telephony/token/refresh",
    "call_list_path": "/telephony/cdr/query",
    "record_file_path": "/telephony/recordings",
    "request_result_path": "/telephony/results",
    "verbs": {"create": "POST", "refresh": "POST"},
    "numbers_field": "extensions",
    "request_fields": {
        "periodStart": "start_time",
        "periodEnd": "end_time",
        "durationFrom": "min_duration",
        "durationTo": "max_duration",
        "isCallRecord": "recorded_only",
        "isRead": "voicemail_heard",
        "recordFileId": "recording_id",
        "requestHash": "request_id",
    },
    "request_values": {
        "direction": {"0": "all", "1": "outbound", "2": "inbound"},
        "isCallRecord": {"0": False, "1": True},
        "isRead": {"0": False, "1": True},
    },
    "period_format": "iso_offset",
    "start_format": "iso_z",
    "no_error": "ok",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "items",
        "requestHash": "request_id",
        "fileContent": "content",
        "file_NAME": "filename",
        "errorCode": "code",
        "errorMessage": "message",
        "accessToken": "access_token",
        "accessTokenExpiredIn": "expires_at",
        "refreshToken": "refresh_token",
        "refreshTokenExpiredIn": "refresh_expires_at",
    },
    "row_fields": {
        "callId": "call_id",
        "startTime": "started_at",
        "callerNumber": "caller",
        "calledNumber": "callee",
        "waitDuration": "wait",
        "status": "state",
        "recordFileId": "recording_id",
        "isVoicemail": None,
        "isRead": None,
        "comment": "note",
    },
    "validation_style": "fastapi",
}

SWASHBUCKLE: dict[str, Any] = {
    "create_path": "/api/v1/Auth/CreateIntegrationToken",
    "refresh_path": "/api/v1/Auth/RenewIntegrationToken",
    "call_list_path": "/api/v1/Statistics/GetCalls",
    "record_file_path": "/api/v1/Records/GetFile",
    "request_result_path": "/api/v1/Requests/GetResult",
    "numbers_field": "numbersList",
    "request_fields": {
        "periodStart": "dateFrom",
        "periodEnd": "dateTo",
        "durationFrom": "durationMin",
        "durationTo": "durationMax",
        "isCallRecord": "withRecord",
        "isRead": "voicemailIsRead",
        "recordFileId": "fileUid",
        "requestHash": "correlationHash",
    },
    "request_values": {"direction": {"0": 0, "1": 2, "2": 1}},
    "period_format": "dotted",
    "start_format": "dotted",
    "list_format": "comma",
    "no_error": "zero",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "data",
        "requestHash": "correlationHash",
        "fileContent": "data.bytes",
        "file_NAME": "data.fileName",
        "errorCode": "status.code",
        "errorMessage": "status.description",
        "accessToken": "token",
        "accessTokenExpiredIn": "validTo",
        "refreshToken": "refreshToken",
        "refreshTokenExpiredIn": "refreshTokenValidTo",
    },
    "row_fields": {
        "callId": "id",
        "startTime": "callDate",
        "direction": "callDirection",
        "callerNumber": "sourceNumber",
        "calledNumber": "destinationNumber",
        "duration": "talkTime",
        "waitDuration": "waitTime",
        "status": "result",
        "recordFileId": "recordFileUid",
        "isVoicemail": None,
        "isRead": None,
        "comment": None,
    },
    "validation_style": "aspnet",
}

TRANSLITERATED: dict[str, Any] = {
    "create_path": "/ats/api/avtorizatsiya/poluchit",
    "refresh_path": "/ats/api/avtorizatsiya/obnovit",
    "call_list_path": "/ats/api/zvonki",
    "record_file_path": "/ats/api/zapis",
    "request_result_path": "/ats/api/rezultat",
    "parameters_in": {"getcalllist": "form"},
    "numbers_field": "nomera",
    "request_fields": {
        "periodStart": "dataNachala",
        "periodEnd": "dataKontsa",
        "direction": "napravlenie",
        "durationFrom": "dlitelnostOt",
        "durationTo": "dlitelnostDo",
        "isCallRecord": "tolkoSZapisyu",
        "isRead": "proslushano",
        "recordFileId": "idZapisi",
        "requestHash": "hesh",
    },
    "request_values": {"direction": {"0": "vse", "1": "iskhodyashchie", "2": "vkhodyashchie"}},
    "timezone": "UTC",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "dannye.stroki",
        "requestHash": "dannye.hesh",
        "fileContent": "dannye.soderzhimoe",
        "file_NAME": "dannye.imyaFayla",
        "errorCode": "oshibka.kod",
        "errorMessage": "oshibka.tekst",
        "accessToken": "tokenDostupa",
        "accessTokenExpiredIn": "srokTokenaDostupa",
        "refreshToken": "tokenObnovleniya",
        "refreshTokenExpiredIn": "srokTokenaObnovleniya",
    },
    "row_fields": {
        "callId": "nomerZvonka",
        "startTime": "vremyaNachala",
        "direction": "napravlenie",
        "callerNumber": "ktoZvonil",
        "calledNumber": "komuZvonili",
        "duration": "dlitelnost",
        "waitDuration": "ozhidanie",
        "status": None,
        "recordFileId": "idZapisi",
        "isVoicemail": None,
        "isRead": None,
        "comment": "kommentariy",
    },
}

EXAMPLES_ONLY: dict[str, Any] = {
    "create_path": "/v3/oauth/pair",
    "refresh_path": "/v3/oauth/pair/renew",
    "call_list_path": "/v3/history",
    "record_file_path": "/v3/history/rec/{recordFileId}",
    "verbs": {"create": "POST", "refresh": "POST", "getcalllist": "GET"},
    "numbers_field": "abonent",
    "request_fields": {
        "periodStart": "from",
        "periodEnd": "to",
        "direction": "type",
        "durationFrom": "len_min",
        "durationTo": "len_max",
        "isCallRecord": "rec",
        "isRead": None,
        "recordFileId": "rec_id",
    },
    "request_values": {"direction": {"0": 0, "1": 2, "2": 1}},
    "period_format": "iso_offset",
    "start_format": "iso_offset",
    "list_format": "comma",
    "answer_fields": {
        **NO_FIELDS,
        "rowset": "",
        "requestHash": None,
        "fileContent": "mp3",
        "file_NAME": "name",
        "errorCode": "error.code",
        "errorMessage": "error.message",
        "accessToken": "tokens.access.value",
        "accessTokenExpiredIn": "tokens.access.expires",
        "refreshToken": "tokens.refresh.value",
        "refreshTokenExpiredIn": "tokens.refresh.expires",
    },
    "row_fields": {
        "callId": "id",
        "startTime": "ts",
        "direction": "type",
        "callerNumber": "src",
        "calledNumber": "dst",
        "duration": "billsec",
        "waitDuration": "wait",
        "recordFileId": "rec_id",
        "isVoicemail": None,
        "isRead": None,
        "comment": "note",
    },
}

NO_CALL_LIST: dict[str, Any] = {
    "create_path": "/gate/v5/pair",
    "refresh_path": "/gate/v5/pair/refresh",
    "record_file_path": "/gate/v5/talk",
    "request_result_path": "/gate/v5/repeat",
    "request_fields": {"recordFileId": "talkRecord"},
    "answer_fields": {"fileContent": "result.talkBase64", "file_NAME": "result.talkName"},
    "row_fields": {"recordFileId": "talkRecord", "isVoicemail": None},
}

CYCLIC: dict[str, Any] = {
    "create_path": "/graph/tokens/make",
    "refresh_path": "/graph/tokens/renew",
    "call_list_path": "/graph/calls",
    "record_file_path": "/graph/records/download",
    "request_result_path": "/graph/requests/result",
    "verbs": {"getcallrecordfile": "POST", "getrequestresultbyhash": "POST"},
    "numbers_field": None,
    "request_fields": {"recordFileId": "record", "requestHash": "hash"},
    "pair_envelope": "result",
    "answer_fields": {"fileContent": "result.file.base64", "file_NAME": "result.file.title"},
    "row_fields": {"recordFileId": "recordId", "isVoicemail": None},
}

LOGIN = {"ALLOINCOGNITO_DOCS_USER": "docs", "ALLOINCOGNITO_DOCS_PASSWORD": "a password"}
API_DOCUMENTS = {
    one.name: one
    for one in (
        ApiDocument("springfox", "springfox.json", {"page": "none", "path": "/v2/api-docs"}, SPRINGFOX),
        ApiDocument("nestjs", "nestjs.json", {"page": "initializer_embedded", "path": None}, NESTJS),
        ApiDocument("fastapi", "fastapi.json", {"page": "address", "path": "/telephony/openapi.json"}, FASTAPI),
        ApiDocument(
            "swashbuckle", "swashbuckle.json", {"page": "config_url", "path": "/help/v1/telephony"}, SWASHBUCKLE
        ),
        ApiDocument(
            "transliterated",
            "transliterated.yaml",
            {"path": "/docs/ats.yaml", "page": "initializer", "login": "basic", "password": "a password"},
            TRANSLITERATED,
            environment=LOGIN,
        ),
        ApiDocument(
            "examples_only",
            "examples_only.json",
            {"page": "embedded", "page_path": "/help/index.html", "path": None},
            EXAMPLES_ONLY,
        ),
        ApiDocument(
            "no_call_list",
            "no_call_list.yaml",
            {"page": "document", "path": None, "login": "bearer"},
            NO_CALL_LIST,
            code=3,
        ),
        ApiDocument("cyclic", "cyclic.json", {"page": "address", "path": "/graph.json"}, CYCLIC),
        ApiDocument("renamed", "", dict(RENAMED["docs"]), dict(RENAMED)),
        ApiDocument(
            "many_operations",
            "fastapi.json",
            {"page": "initializer", "page_path": "/swagger-ui/", "path": "/telephony/all.json"},
            FASTAPI,
            change=_many_operations,
        ),
    )
}

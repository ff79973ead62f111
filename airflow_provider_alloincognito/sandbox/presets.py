"""Ready settings, by their name on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED: Mapping[str, Any] = {
    "create_path": "/auth/v2/tokens",
    "refresh_path": "/auth/v2/tokens/renewal",
    "call_list_path": "/telephony/v2/calls/search",
    "record_file_path": "/telephony/v2/calls/audio",
    "request_result_path": "/telephony/v2/requests/{requestHash}",
    "verbs": {"create": "POST", "refresh": "POST", "getcalllist": "GET"},
    "numbers_field": "phones",
    "request_fields": {
        "periodStart": "date_from",
        "periodEnd": "date_to",
        "direction": "call_type",
        "durationFrom": "min_seconds",
        "durationTo": "max_seconds",
        "isCallRecord": "recorded_only",
        "isRead": "voicemail_read",
        "recordFileId": "audio_id",
        "requestHash": "request_id",
    },
    "request_values": {
        "direction": {"0": "ALL", "1": "OUT", "2": "IN"},
        "isCallRecord": {"0": False, "1": True},
        "isRead": {"0": False, "1": True},
    },
    "period_format": "iso",
    "answer_fields": {
        "error": "status",
        "result": "data",
        "apiName": None,
        "apiVersion": None,
        "callTime": "data.received_at",
        "responseDuration": "data.took",
        "code": "data.outcome",
        "requestHash": "data.request_id",
        "rowset": "data.items",
        "fileContent": "data.audio",
        "file_NAME": "data.audio_name",
        "errorCode": "status.code",
        "errorMessage": "status.text",
        "accessToken": "access_token",
        "accessTokenExpiredIn": "access_expires_at",
        "refreshToken": "refresh_token",
        "refreshTokenExpiredIn": "refresh_expires_at",
    },
    "row_fields": {
        "callId": "id",
        "startTime": "begin_time",
        "direction": "call_type",
        "callerNumber": "phone_from",
        "calledNumber": "phone_to",
        "duration": "talk_sec",
        "waitDuration": "wait_sec",
        "status": "outcome",
        "recordFileId": "audio_id",
        "isVoicemail": "is_voicemail",
        "isRead": "voicemail_read",
        "comment": "note",
    },
    "timezone": "Asia/Yekaterinburg",
    "validation_style": "spring",
    "docs": {"page": "initializer", "page_path": "/swagger-ui/index.html", "path": "/v3/api-docs"},
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"renamed": RENAMED}

"""The names of parameters, of a row's fields and of a response's; all but those of a row are the API's text's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_alloincognito.sandbox.faults import Method

ROW_FIELDS = (
    "callId",
    "startTime",
    "direction",
    "callerNumber",
    "calledNumber",
    "duration",
    "waitDuration",
    "status",
    "recordFileId",
    "isVoicemail",
    "isRead",
    "comment",
)
PARAMETERS: dict[Method, tuple[str, ...]] = {
    "create": (),
    "refresh": (),
    "getcalllist": (
        "numbers",
        "periodStart",
        "periodEnd",
        "direction",
        "durationFrom",
        "durationTo",
        "isCallRecord",
        "isRead",
    ),
    "getcallrecordfile": ("recordFileId",),
    "getrequestresultbyhash": ("requestHash",),
}
REQUIRED = frozenset({"periodStart", "periodEnd", "recordFileId", "requestHash"})
ERROR_FIELDS = ("errorMessage", "errorCode")
RESULT_FIELDS = ("apiName", "apiVersion", "callTime", "responseDuration", "code", "requestHash")
RECORDING_FIELDS = ("file_NAME", "fileContent")
PAIR_FIELDS = ("accessToken", "accessTokenExpiredIn", "refreshToken", "refreshTokenExpiredIn")
ANSWER_FIELDS = ("error", "result", *ERROR_FIELDS, *RESULT_FIELDS, "rowset", *RECORDING_FIELDS, *PAIR_FIELDS)
_NEEDED = ("error", "result", "rowset", "fileContent", "accessToken", "refreshToken")


def valid_row_fields(names: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """Return other names for the fields of a row, or raise ``ValueError``."""
    if unknown := set(names) - set(ROW_FIELDS):
        raise ValueError(f"a row has no such field: {sorted(unknown)}; it has {list(ROW_FIELDS)}.")
    kept = [name for name in (names.get(field, field) for field in ROW_FIELDS) if name is not None]
    if len(set(kept)) != len(kept) or not kept:
        raise ValueError("two fields have one name, or none is left.")
    return dict(names)


def valid_request_fields(names: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """Return other names for parameters, or raise ``ValueError``. The list of numbers has a setting of its own."""
    known = [name for names in PARAMETERS.values() for name in names if name != "numbers"]
    if unknown := set(names) - set(known):
        raise ValueError(f"no request has such a parameter: {sorted(unknown)}; there are {known}.")
    if needed := sorted(name for name in REQUIRED & set(names) if names[name] is None):
        raise ValueError(f"no request can do without {needed}.")
    return dict(names)


def valid_spellings(values: Mapping[Any, Mapping[str, Any]]) -> Mapping[Any, Mapping[str, Any]]:
    """Return how values are written, by field, or raise ``ValueError``."""
    for name, spellings in values.items():
        if len({json.dumps(one) for one in spellings.values()}) != len(spellings):
            raise ValueError(f"two values of {name} are written in one way.")
    return values


def valid_places(places: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return other places of a response's fields, or raise ``ValueError``."""
    if unknown := set(places) - set(ANSWER_FIELDS):
        raise ValueError(f"no response has such a field: {sorted(unknown)}; there are {list(ANSWER_FIELDS)}.")
    for name, place in places.items():
        given = place.values() if isinstance(place, Mapping) else (place,)
        if None in given and name in _NEEDED:
            raise ValueError(f"no response can do without {name}.")
        if "" in given and name not in ("rowset", "error", "result"):
            raise ValueError(f"{name} cannot be the whole response.")
    return dict(places)

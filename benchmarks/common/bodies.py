"""The bodies of the fast server's responses, rendered once."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

ROW_BYTES = 288
"""The size of a row with the comma after it."""

SCHEMA = {
    "callId": "string",
    "startTime": "timestamp",
    "endTime": "timestamp",
    "direction": "int64",
    "callerNumber": "string",
    "calledNumber": "string",
    "duration": "int64",
    "isCallRecord": "bool",
    "isRead": "int64",
    "recordFileId": "string",
    "comment": "string",
}
"""The columns of a row, in the form of the provider's argument ``schema``."""

PAIR = {
    "accessToken": "an-access-token",
    "accessTokenExpiredIn": "2999-01-01T00:00:00Z",
    "refreshToken": "a-refresh-token",
    "refreshTokenExpiredIn": "2999-01-01T01:00:00Z",
}


def token_pair() -> bytes:
    """Return the body of ``create``."""
    return json.dumps(PAIR).encode()


def call_list(rows: int) -> bytes:
    """Return a call list with so many rows."""
    head = (
        b'{"error":{"errorMessage":null,"errorCode":0},"result":{"apiName":"getcalllist","apiVersion":"1.0",'
        b'"callTime":"2026-03-02 00:00:00","responseDuration":12,"code":0,"requestHash":"QUJD==REVG","rowset":['
    )
    return head + b",".join(_rows(rows)) + b"]}}"


def recording(size: int) -> bytes:
    """Return a recording of so many bytes."""
    content = base64.b64encode(b"\xff\xfb\x90\xc4" + random.Random(size).randbytes(size - 4))
    head = b'{"error":null,"result":{"apiName":"getcallrecordfile","code":0,"requestHash":"QUJD==REVG",'
    return head + b'"file_NAME":"recording.mp3","fileContent":"' + content + b'"}}'


def _rows(count: int) -> Iterator[bytes]:
    dice = random.Random(count)
    midnight = datetime(2026, 3, 1)
    for number in range(count):
        start = midnight + timedelta(seconds=number * 86_400 // count)
        duration = dice.randrange(600)
        row = {
            "callId": str(number),
            "startTime": str(start),
            "endTime": str(start + timedelta(seconds=duration)),
            "direction": 1 + number % 2,
            "callerNumber": f"7916{dice.randrange(10**7):07}",
            "calledNumber": f"7926{dice.randrange(10**7):07}",
            "duration": duration,
            "isCallRecord": duration > 0,
            "isRead": None if number % 3 else 1,
            "recordFileId": str(uuid.UUID(int=dice.getrandbits(128))),
            "comment": "",
        }
        text = json.dumps(row, separators=(",", ":")).encode()
        yield text[:-2] + b"x" * (ROW_BYTES - 1 - len(text)) + text[-2:]

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_alloincognito.api.answer.recording import RecordingContentReader
from airflow_provider_alloincognito.errors import AlloincognitoResponseError


def read(string: bytes, chunk: int = 1 << 18, window: int = 1 << 16) -> tuple[bytes, bytes | None]:
    """``string``: what follows the opening quote."""
    reader = RecordingContentReader(window)
    pieces: list[bytes] = []
    for start in range(0, len(string), chunk):
        if reader.rest is not None:
            return b"".join(pieces), reader.rest + string[start:]
        pieces += reader.feed(string[start : start + chunk])
    if reader.rest is None:
        pieces += reader.feed(b"", last=True)
    return b"".join(pieces), reader.rest


def escaped(text: str, which: str) -> str:
    """Characters of ``which`` written as `\\uXXXX`, all else as JSON has it."""
    return "".join(f"\\u{ord(char):04X}" if char in which else json.dumps(char)[1:-1] for char in text)


@st.composite
def dressed(draw: st.DrawFn) -> tuple[bytes, bytes]:
    content = draw(st.binary(max_size=300))
    encode = draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
    text = encode(content).decode()
    if draw(st.booleans()):
        text = text.rstrip("=")
    width = draw(st.none() | st.integers(1, 80))
    if width:
        line_break = draw(st.sampled_from(["\n", "\r\n", " ", "\t"]))
        text = line_break.join(text[i : i + width] for i in range(0, len(text), width)) + line_break
    prefix = draw(st.sampled_from(["", "data:audio/mpeg;base64,", "DATA:;base64,", 'data:a/b-c;x="_";base64,']))
    string = escaped(prefix + text, draw(st.text("+/=-_Aa\n", max_size=4)))
    return content, (string.replace("/", "\\/") if draw(st.booleans()) else string).encode()


@given(dressed(), st.integers(1, 50))
def test_any_bytes_in_any_dressing_and_chunks(dressed: tuple[bytes, bytes], chunk: int) -> None:
    content, string = dressed
    assert read(string + b'", "x": "y"}', chunk) == (content, b'", "x": "y"}')


@given(dressed(), st.integers(1, 50), st.integers(140, 400))
def test_windows_cut_anywhere(dressed: tuple[bytes, bytes], chunk: int, window: int) -> None:
    """Larger than the longest prefix, as the real window is."""
    content, string = dressed
    assert read(string + b'"', chunk, window) == (content, b'"')


@given(st.binary(max_size=200), st.sampled_from(["", "+/=", "AQg"]), st.integers(1, 20), st.integers(1, 20))
def test_tiny_windows(content: bytes, which: str, chunk: int, window: int) -> None:
    string = escaped("\n".join(base64.encodebytes(content).decode().splitlines()), which)
    assert read(string.encode() + b'"', chunk, window) == (content, b'"')


def test_a_recording_of_many_windows() -> None:
    content = os.urandom(3_000_001)
    plain = base64.b64encode(content)
    lines = base64.encodebytes(content).replace(b"\n", b"\\r\\n").replace(b"/", b"\\/")
    for string in [plain, plain.rstrip(b"="), lines]:
        for chunk in [1 << 18, 65_537, len(string) + 1]:
            assert read(string + b'"', chunk) == (content, b'"')


@pytest.mark.parametrize(
    "string",
    [
        "Q",
        "QUJDR",
        "QQ==QQ==",
        "QQ==QUJD",
        "QQ== Q",
        "Q===",
        "====",
        "QUI==",
        "QUJD=",
        "Q=Q=",
        "QUJ*",
        "QUJDé",
        "data:audio/mpeg,QUJD",
        "QUJDdata:audio/mpeg;base64,QUJD",
        "QU\nJD",
        "QU\\xJD",
        'QUJD\\"',
        'QUJD\\"QUJD',
        "QU\\u00zzJD",
        "QU\\ud800JD",
    ],
)
def test_what_is_not_base64_in_a_json_string(string: str) -> None:
    for chunk, window in [(1, 1), (3, 5), (4, 4), (100, 1 << 16)]:
        with pytest.raises(AlloincognitoResponseError, match="fileContent"):
            read(string.encode() + b'"}', chunk, window)


@pytest.mark.parametrize(
    ("dressed", "plain"),
    [("\\/", "/"), ("\\u002f", "/"), ("_", "/"), ("_-", "/+"), ("/ ", "/"), ("/\\n", "/"), ("\\n/\\n", "/")],
)
def test_dressing_that_begins_where_a_chunk_ends(dressed: str, plain: str) -> None:
    """Groups of four that need no undressing, and then characters that wait for the rest of their group."""
    chunk = "A" * (1 << 16)
    rest = "A" * (8 - len(plain))
    reader = RecordingContentReader()
    pieces = [*reader.feed(f"{chunk}{dressed}".encode()), *reader.feed(f'{rest}"'.encode(), last=True)]
    assert b"".join(pieces) == base64.b64decode(chunk + plain + rest)


@pytest.mark.parametrize("string", [b"", b"QUJD", b"QUJD\\", b"QUJD\\u00"])
def test_a_string_that_does_not_end_has_no_rest(string: bytes) -> None:
    for chunk in [1, 100]:
        assert read(string, chunk)[1] is None


def test_an_empty_recording() -> None:
    assert read(b'"}') == (b"", b'"}')
    assert read(b'data:audio/mpeg;base64,"}') == (b"", b'"}')

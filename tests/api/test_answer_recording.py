"""A recording, decoded as it arrives: ``api/answer/recording.py``."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.recording import RecordingContentReader
from airflow_provider_alloincognito.errors import AlloincognitoResponseError


def read(string: bytes, chunk: int = 1 << 18, block: int = 1 << 16) -> tuple[bytes, bytes | None]:
    """Read ``string``, the bytes after the opening quote."""
    reader = RecordingContentReader(block)
    pieces: list[bytes] = []
    for start in range(0, len(string), chunk):
        if reader.rest is not None:
            return b"".join(pieces), reader.rest + string[start:]
        pieces += reader.feed(string[start : start + chunk])
    if reader.rest is None:
        pieces += reader.feed(b"", last=True)
    return b"".join(pieces), reader.rest


def escaped(text: str, which: str) -> str:
    """Return ``text`` as JSON, with the characters of ``which`` as `\\uXXXX`."""
    return "".join(f"\\u{ord(char):04X}" if char in which else json.dumps(char)[1:-1] for char in text)


@st.composite
def base64_variants(draw: st.DrawFn) -> tuple[bytes, bytes]:
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


@given(base64_variants(), st.integers(1, 50))
def test_any_variant_of_base64_is_read_in_any_chunks(variant: tuple[bytes, bytes], chunk: int) -> None:
    content, string = variant
    assert read(string + b'", "x": "y"}', chunk) == (content, b'", "x": "y"}')


@given(base64_variants(), st.integers(1, 50), st.integers(140, 400))
def test_any_variant_is_read_in_any_blocks(variant: tuple[bytes, bytes], chunk: int, block: int) -> None:
    """Blocks are longer than the longest prefix, as the real one is."""
    content, string = variant
    assert read(string + b'"', chunk, block) == (content, b'"')


@given(st.binary(max_size=200), st.sampled_from(["", "+/=", "AQg"]), st.integers(1, 20), st.integers(1, 20))
def test_tiny_blocks_are_read(content: bytes, which: str, chunk: int, block: int) -> None:
    string = escaped("\n".join(base64.encodebytes(content).decode().splitlines()), which)
    assert read(string.encode() + b'"', chunk, block) == (content, b'"')


def test_a_recording_of_many_blocks_is_read() -> None:
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
def test_anything_but_base64_is_an_error(string: str) -> None:
    for chunk, block in [(1, 1), (3, 5), (4, 4), (100, 1 << 16)]:
        with pytest.raises(AlloincognitoResponseError, match="fileContent"):
            read(string.encode() + b'"}', chunk, block)


@pytest.mark.parametrize(
    ("variant", "plain"),
    [("\\/", "/"), ("\\u002f", "/"), ("_", "/"), ("_-", "/+"), ("/ ", "/"), ("/\\n", "/"), ("\\n/\\n", "/")],
)
def test_a_variant_that_starts_where_a_chunk_ends_is_read(variant: str, plain: str) -> None:
    """Groups of four in the standard alphabet, and then characters of an incomplete group."""
    chunk = "A" * (1 << 16)
    rest = "A" * (8 - len(plain))
    reader = RecordingContentReader()
    pieces = [*reader.feed(f"{chunk}{variant}".encode()), *reader.feed(f'{rest}"'.encode(), last=True)]
    assert b"".join(pieces) == base64.b64decode(chunk + plain + rest)


@pytest.mark.parametrize("string", [b"", b"QUJD", b"QUJD\\", b"QUJD\\u00"])
def test_a_string_that_does_not_end_has_no_rest(string: bytes) -> None:
    for chunk in [1, 100]:
        assert read(string, chunk)[1] is None


def test_an_empty_recording_is_read() -> None:
    assert read(b'"}') == (b"", b'"}')
    assert read(b'data:audio/mpeg;base64,"}') == (b"", b'"}')

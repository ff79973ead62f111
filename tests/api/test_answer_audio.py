"""Which bytes are audio, and what others are called: ``api/answer/audio.py``."""

from __future__ import annotations

import base64
import itertools
import struct

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.audio import audio_format, checked_audio, looks_like
from airflow_provider_alloincognito.errors import AlloincognitoRecordingError

MP3 = b"\xff\xfb\x90\xc4" + bytes(413)
FRAME_SETTINGS = itertools.product((0, 2, 3), (1, 2), (0, 1), range(1, 15), range(3))


def test_every_frame_of_layers_2_and_3_begins_an_mp3() -> None:
    for version, layer, protection, bit_rate, sampling_rate in FRAME_SETTINGS:
        second = 0xE0 | version << 3 | layer << 1 | protection
        assert audio_format(bytes((0xFF, second, bit_rate << 4 | sampling_rate << 2, 0))) == "mp3"


@pytest.mark.parametrize("zeros", [1, 128, 500])
def test_zero_bytes_may_come_before_the_first_frame(zeros: int) -> None:
    content = bytes(zeros) + MP3
    assert b"".join(checked_audio([content[:7], content[7:]], ("mp3",))) == content


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_id3_tag_begins_an_mp3(version: int) -> None:
    assert audio_format(b"ID3" + bytes((version, 0, 0, 0, 0, 2, 1)) + bytes(257)) == "mp3"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>" * 20, "an HTML page"),
        (b"\xef\xbb\xbf\r\n<!-- x --><HTML>", "an HTML page"),
        ("<html><body>Ошибка</body></html>".encode("utf-16"), "an HTML page"),
        (b'<?xml version="1.0"?><error/>', "XML"),
        (b'{"error": {"errorCode": 404}}', "JSON"),
        ('{"error": 404}'.encode("utf-16-le"), "JSON"),
        (b" \n" * 200, "nothing but spaces"),
        (bytes(4096), "nothing but zero bytes"),
        (MP3.hex().encode(), "hexadecimal digits"),
        (base64.b64encode(MP3), "base64 again"),
        (base64.encodebytes(MP3), "base64 again"),
        ("Запись не найдена".encode(), "text"),
        (b"ID3 tag not found", "text"),
        (b"\xff\xf1\x50\x80" + bytes(90), "AAC audio"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x1f\x8b\x08" + bytes(20), "a compressed file"),
        (base64.b64decode("notfound"), "unknown data"),
        (struct.pack("<4sI4s", b"RIFF", 2084, b"WAVE"), "WAV audio"),
        (b"OggS\x00\x02", "OGG audio"),
    ],
)
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_anything_else_is_an_error_that_says_what_it_looks_like(content: bytes, name: str, size: int) -> None:
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    with pytest.raises(AlloincognitoRecordingError, match=f"not mp3: it looks like {name}\\."):
        next(checked_audio(chunks, ("mp3",)))


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_audio_passes_unchanged(content: bytes, size: int) -> None:
    content = MP3 + content
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    assert b"".join(checked_audio(chunks, ("mp3",))) == content
    assert list(checked_audio([], ("mp3",))) == []


@given(st.binary(max_size=600) | st.text().map(str.encode))
def test_any_bytes_have_a_name(content: bytes) -> None:
    assert looks_like(content)

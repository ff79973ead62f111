"""Recordings: real mp3 files, in all variants of base64."""

from __future__ import annotations

import base64
import io
from typing import Any

import miniaudio  # type: ignore[import-untyped]
import pytest
from mutagen.mp3 import MP3
from sandbox_client import PlainClient


@pytest.fixture
def recordings(client: PlainClient) -> list[dict[str, Any]]:
    return [row for row in client.sandbox.truth("2025-06-02", "2025-06-03") if row["recordFileId"]]


def test_a_recording_is_as_long_as_its_call(client: PlainClient, recordings: list[dict[str, Any]]) -> None:
    client.sandbox.configure(recording_bytes=None)
    for row in recordings[:5]:
        mp3 = client.mp3(row["recordFileId"])
        info: Any = MP3(io.BytesIO(mp3)).info  # type: ignore[no-untyped-call]
        assert info.length == pytest.approx(row["duration"], abs=0.1)
        assert (info.sample_rate, info.channels, info.bitrate) == (16000, 1, 16000)
        assert miniaudio.decode(mp3).duration == pytest.approx(row["duration"], abs=0.2)


def test_recordings_differ_and_do_not_change(client: PlainClient, recordings: list[dict[str, Any]]) -> None:
    ids = [row["recordFileId"] for row in recordings]
    files = [client.mp3(one) for one in ids]
    assert len(set(files)) == len(files)
    assert files == [client.sandbox.recording(one) for one in ids]
    assert {len(file) % 3 for file in files} == {0, 1, 2}
    for file in files:
        frames = len(file) // 72 - (1 if 0 < len(file) % 72 < 10 else 0)
        assert miniaudio.decode(file).duration == pytest.approx(0.036 * frames, abs=0.001)


@pytest.mark.parametrize(("value", "seen"), [("empty", ""), ("null", None)])
def test_a_file_without_a_name(client: PlainClient, recorded: dict[str, Any], value: str, seen: Any) -> None:
    client.sandbox.configure(file_name=value)
    assert client.record_file(recorded["recordFileId"]).json()["result"]["file_NAME"] == seen


def test_a_file_name_can_be_hostile_or_absent(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(file_name="hostile")
    assert "../" in client.record_file(recorded["recordFileId"]).json()["result"]["file_NAME"]
    client.sandbox.configure(file_name="absent")
    assert "file_NAME" not in client.record_file(recorded["recordFileId"]).json()["result"]


@pytest.mark.parametrize("size", [300, 301, 302, 400_000])
@pytest.mark.parametrize("variant", ["plain", "escaped_slashes", "line_breaks", "no_padding", "urlsafe", "data_uri"])
def test_every_variant_of_base64(client: PlainClient, recorded: dict[str, Any], variant: str, size: int) -> None:
    client.sandbox.configure(base64_dressing=variant, recording_bytes=size)
    response = client.record_file(recorded["recordFileId"])
    content = response.json()["result"]["fileContent"]
    mp3 = client.sandbox.recording(recorded["recordFileId"])
    plain = base64.b64encode(mp3).decode()
    assert len(mp3) == size
    expected = {
        "urlsafe": plain.replace("+", "-").replace("/", "_"),
        "no_padding": plain.rstrip("="),
        "data_uri": "data:audio/mpeg;base64," + plain,
    }
    assert content.replace("\r\n", "") == expected.get(variant, plain)
    assert ("\r\n" in content) == (variant == "line_breaks")
    assert (b"\\/" in response.content) == (variant == "escaped_slashes")


def test_a_recording_of_40_megabytes(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.sandbox.configure(recording_bytes=40_000_000)
    mp3 = client.mp3(recorded["recordFileId"])
    assert len(mp3) == 40_000_000
    assert mp3 == client.sandbox.recording(recorded["recordFileId"])
    assert mp3.count(b"\xff") == 40_000_000 // 72
    info: Any = MP3(io.BytesIO(mp3)).info  # type: ignore[no-untyped-call]
    assert info.length == pytest.approx(20_000, abs=1)


@pytest.mark.parametrize("record_file_id", ["bec3e80f-2197-4f2e-87d8-44ae05e60eb7", "../../etc/passwd", "", "7"])
def test_an_unknown_recording_is_an_error(client: PlainClient, record_file_id: str) -> None:
    response = client.record_file(record_file_id)
    document = response.json()
    assert document["error"]["errorCode"] == 1000
    assert "fileContent" not in document["result"]
    digits = "".join(filter(str.isdigit, document["error"]["errorMessage"]))
    assert digits.endswith("9161234567")

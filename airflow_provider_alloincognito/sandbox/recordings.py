"""
Recordings: mp3 made by hand, so that no encoder is needed.

MPEG-2 layer III, 16 kHz, mono, 16 kbit/s: each frame is 72 bytes and 36 ms of silence. A frame whose side information
is zero has no audio data; a decoder skips the bytes after it. Those bytes differ from recording to recording and from
place to place, so that mixed-up or misplaced pieces are seen. None has its high bit set: no false sync word can appear.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import date
from functools import cache

from airflow_provider_alloincognito.sandbox.calls import Call, start_text
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

FRAME_BYTES = 72
FRAME_MS = 36
_HEADER = bytes((0xFF, 0xF3, 0x28, 0xC4)) + bytes(9)
_TAG_HEADER = 10
# A tag and a frame, whatever the size.
_LEAST = 2 * FRAME_BYTES + _TAG_HEADER
_PIECE_FRAMES = 2048
_PIECE_BYTES = _PIECE_FRAMES * FRAME_BYTES
_SEVEN_BITS = bytes(byte & 0x7F for byte in range(256))


def recording_size(settings: SandboxSettings, call: Call) -> int:
    """
    Give the size of a call's recording in bytes.

    :param settings: may ask for other sizes than the talk's length gives
    :param call: a call that has a recording
    """
    wanted = settings.recording_bytes
    if isinstance(wanted, tuple):
        wanted = random.Random(f"{call.record_file_id}|size").randint(*wanted)
    elif wanted is None:
        # Some begin with a tag, so that all three endings of base64 occur.
        wanted = call.duration * 1000 // FRAME_MS * FRAME_BYTES + (0, 10, 11)[call.start_ms // 1000 % 3]
    return max(_LEAST, wanted)


def recording_pieces(record_file_id: str, size: int) -> Iterator[bytes]:
    """
    Give a recording in pieces, each but the last of the same length, a multiple of three.

    :param record_file_id: the recording's id
    :param size: its size in bytes
    """
    buffer = _tag(size)
    silence = _silence()
    for number, at in enumerate(range(len(buffer), size, _PIECE_BYTES)):
        piece = bytearray(silence[: min(_PIECE_BYTES, size - at)])
        mark = hashlib.sha256(f"{record_file_id}|{number}".encode()).digest().translate(_SEVEN_BITS)
        piece[len(_HEADER) : len(_HEADER) + len(mark)] = mark
        buffer += piece
        if len(buffer) >= _PIECE_BYTES:
            yield buffer[:_PIECE_BYTES]
            buffer = buffer[_PIECE_BYTES:]
    if buffer:
        yield buffer


def _tag(size: int) -> bytes:
    """Give an empty ID3 tag that takes what whole frames leave of a size."""
    left = size % FRAME_BYTES
    if left == 0:
        return b""
    length = left if left >= _TAG_HEADER else left + FRAME_BYTES
    return b"ID3\x03\x00\x00\x00\x00" + bytes(divmod(length - _TAG_HEADER, 128)) + bytes(length - _TAG_HEADER)


@cache
def _silence() -> bytes:
    noise = bytearray(random.Random("silence").randbytes(_PIECE_BYTES).translate(_SEVEN_BITS))
    for at, byte in enumerate(_HEADER):
        noise[at::FRAME_BYTES] = bytes((byte,)) * _PIECE_FRAMES
    return bytes(noise)


def file_name(settings: SandboxSettings, day: date, call: Call) -> str | None:
    """
    Give a recording's ``file_NAME``, or None.

    :param settings: what kind of name
    :param day: the call's day
    :param call: the call
    """
    if settings.file_name in ("null", "absent"):
        return None
    if settings.file_name == "empty":
        return ""
    name = f"Разговор {call.caller} - {call.called} {start_text(day, call.start_ms).replace(':', '-')}.mp3"
    return f"../../C:\\Записи\\{name}" if settings.file_name == "hostile" else name


def dressed_base64(settings: SandboxSettings, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """
    Give the inside of the JSON string ``fileContent``.

    :param settings: how it is dressed
    :param pieces: the recording
    """
    dressing = settings.base64_dressing
    if dressing == "data_uri":
        yield b"data:audio/mpeg;base64,"
    for piece in pieces:
        text = base64.b64encode(piece)
        if dressing == "urlsafe":
            text = text.translate(_URLSAFE)
        elif dressing == "no_padding":
            text = text.rstrip(b"=")
        elif dressing == "escaped_slashes":
            text = text.replace(b"/", b"\\/")
        elif dressing == "line_breaks":
            text = b"".join(text[at : at + 76] + b"\\r\\n" for at in range(0, len(text), 76))
        yield text


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def dressed_length(settings: SandboxSettings, size: int) -> int | None:
    """
    Give the length of ``fileContent`` where it can be told without making it.

    :param settings: how it is dressed
    :param size: the recording's size
    """
    prefix = len("data:audio/mpeg;base64,") if settings.base64_dressing == "data_uri" else 0
    if settings.base64_dressing in ("escaped_slashes", "line_breaks"):
        return None
    padding = -size % 3 if settings.base64_dressing == "no_padding" else 0
    return prefix + (size + 2) // 3 * 4 - padding

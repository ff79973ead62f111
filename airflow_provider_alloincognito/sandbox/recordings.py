"""
Recordings: mp3 files made without an encoder.

MPEG-2 layer III, 16 kHz, mono, 16 kbit/s: each frame is 72 bytes and 36 ms of silence. A frame whose side information
is zero has no audio data; a decoder skips the bytes after it. Those bytes differ between recordings and between
positions, so that mixed-up or misplaced blocks are noticed. None has its high bit set: no false sync word can appear.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import date
from functools import cache

from airflow_provider_alloincognito.sandbox.calls import Call
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

FRAME_BYTES = 72
FRAME_MS = 36
_HEADER = bytes((0xFF, 0xF3, 0x28, 0xC4)) + bytes(9)
_TAG_HEADER = 10
# An ID3 tag and a frame.
_MIN_SIZE = 2 * FRAME_BYTES + _TAG_HEADER
_BLOCK_FRAMES = 2048
_BLOCK_BYTES = _BLOCK_FRAMES * FRAME_BYTES
_SEVEN_BITS = bytes(byte & 0x7F for byte in range(256))


def recording_size(settings: SandboxSettings, call: Call) -> int:
    """
    Return the size of a call's recording in bytes.

    :param settings: may set other sizes than the length of the call
    :param call: a call that has a recording
    """
    wanted = settings.recording_bytes
    if isinstance(wanted, tuple):
        wanted = random.Random(f"{call.record_file_id}|size").randint(*wanted)
    elif wanted is None:
        # Some begin with a tag, so that all three endings of base64 occur.
        wanted = call.duration * 1000 // FRAME_MS * FRAME_BYTES + (0, 10, 11)[call.start_ms // 1000 % 3]
    return max(_MIN_SIZE, wanted)


def recording_blocks(record_file_id: str, size: int) -> Iterator[bytes]:
    """
    Yield a recording in blocks, all but the last of the same length, a multiple of three.

    :param record_file_id: the recording's id
    :param size: its size in bytes
    """
    buffer = _tag(size)
    silence = _silence()
    for number, at in enumerate(range(len(buffer), size, _BLOCK_BYTES)):
        block = bytearray(silence[: min(_BLOCK_BYTES, size - at)])
        mark = hashlib.sha256(f"{record_file_id}|{number}".encode()).digest().translate(_SEVEN_BITS)
        block[len(_HEADER) : len(_HEADER) + len(mark)] = mark
        buffer += block
        if len(buffer) >= _BLOCK_BYTES:
            yield buffer[:_BLOCK_BYTES]
            buffer = buffer[_BLOCK_BYTES:]
    if buffer:
        yield buffer


def _tag(size: int) -> bytes:
    """Return an empty ID3 tag as long as what remains of a size after whole frames."""
    left = size % FRAME_BYTES
    if left == 0:
        return b""
    length = left if left >= _TAG_HEADER else left + FRAME_BYTES
    return b"ID3\x03\x00\x00\x00\x00" + bytes(divmod(length - _TAG_HEADER, 128)) + bytes(length - _TAG_HEADER)


@cache
def _silence() -> bytes:
    noise = bytearray(random.Random("silence").randbytes(_BLOCK_BYTES).translate(_SEVEN_BITS))
    for at, byte in enumerate(_HEADER):
        noise[at::FRAME_BYTES] = bytes((byte,)) * _BLOCK_FRAMES
    return bytes(noise)


def file_name(settings: SandboxSettings, day: date, call: Call) -> str | None:
    """
    Return a recording's ``file_NAME``, or None.

    :param settings: the kind of name
    :param day: the call's day
    :param call: the call
    """
    if settings.file_name in ("null", "absent"):
        return None
    if settings.file_name == "empty":
        return ""
    name = f"Разговор {call.caller} - {call.called} {call.start_text(day).replace(':', '-')}.mp3"
    return f"../../C:\\Записи\\{name}" if settings.file_name == "hostile" else name


def base64_text(settings: SandboxSettings, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """
    Yield the content of the JSON string ``fileContent``.

    :param settings: the variant of base64
    :param blocks: the recording
    """
    variant = settings.base64_dressing
    if variant == "data_uri":
        yield _DATA_URI
    for block in blocks:
        text = base64.b64encode(block)
        if variant == "urlsafe":
            text = text.translate(_URLSAFE)
        elif variant == "no_padding":
            text = text.rstrip(b"=")
        elif variant == "escaped_slashes":
            text = text.replace(b"/", b"\\/")
        elif variant == "line_breaks":
            text = b"".join(text[at : at + 76] + b"\\r\\n" for at in range(0, len(text), 76))
        yield text


_DATA_URI = b"data:audio/mpeg;base64,"
_URLSAFE = bytes.maketrans(b"+/", b"-_")


def base64_length(settings: SandboxSettings, size: int) -> int | None:
    """
    Return the length of ``base64_text``; None if it is not known beforehand.

    :param settings: the variant of base64
    :param size: the recording's size in bytes
    """
    variant = settings.base64_dressing
    if variant in ("escaped_slashes", "line_breaks"):
        return None
    prefix = len(_DATA_URI) if variant == "data_uri" else 0
    padding = -size % 3 if variant == "no_padding" else 0
    return prefix + (size + 2) // 3 * 4 - padding

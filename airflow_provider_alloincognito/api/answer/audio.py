"""What a recording is, by its first bytes: audio, or what a server sent in its place."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from airflow_provider_alloincognito.errors import AlloincognitoRecordingError

HEAD = 512
ID3_TAG = re.compile(rb"ID3[\x00-\x08]")
WAV = re.compile(rb"RIFF.{4}WAVE", re.DOTALL)
OGG = re.compile(rb"OggS")
OTHERS = {
    "nothing but zero bytes": re.compile(rb"\x00*\Z"),
    "nothing but spaces": re.compile(rb"\s*\Z"),
    "WAV audio": WAV,
    "OGG audio": OGG,
    "FLAC audio": re.compile(rb"fLaC"),
    "AAC audio": re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"),
    "MP4 or M4A audio": re.compile(rb".{4}ftyp", re.DOTALL),
    "AMR audio": re.compile(rb"#!AMR"),
    "a PDF document": re.compile(rb"%PDF"),
    "an image": re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8"),
    "a compressed file": re.compile(rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!"),
    "an HTML page": re.compile(rb"(?is)\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|title|h1)\b"),
    "XML": re.compile(rb"\s*<[?!\w]"),
    "JSON": re.compile(rb'\s*[{\[]\s*["{\[\]}\d]'),
    "hexadecimal digits": re.compile(rb"\s*(?:[0-9A-Fa-f]{2}\s*){8,}\Z"),
    "base64 again": re.compile(rb"\s*(?:[A-Za-z0-9+/_-]\s*){16,}={0,2}\s*\Z"),
    "text": re.compile(rb"(?:[\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3})+[\xc2-\xf4]?\Z"),
}


def checked_audio(chunks: Iterable[bytes], formats: Collection[str]) -> Iterator[bytes]:
    """
    Pass the bytes of a recording on.

    :param chunks: the recording.
    :param formats: what it may be: ``mp3``, ``wav``, ``ogg``.
    :raises AlloincognitoRecordingError: before the first byte, if it is something else. It says what it looks like.
    """
    chunks = iter(chunks)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD:
            break
    if not head:
        return
    if audio_format(head) not in formats:
        raise AlloincognitoRecordingError(
            f"What the server sent as a recording is not {' or '.join(formats)}: it looks like {looks_like(head)}. It "
            "was not kept. Try again later; if it happens again, see the setting audio_formats of the Connection, or "
            "ask AlloIncognito's support."
        )
    whole = chain((head,), chunks)
    del head, chunk  # no second chunk in memory while the rest arrives
    yield from whole


def audio_format(head: bytes) -> str | None:
    """Return the format, which is the suffix as well, of a recording that begins like this; None if it is no audio."""
    if is_mp3(head):
        return "mp3"
    if WAV.match(head):
        return "wav"
    return "ogg" if OGG.match(head) else None


def is_mp3(head: bytes) -> bool:
    """Return whether a file that begins like this is an mp3: with a tag, or with a frame of layer II or III."""
    head = head[:HEAD].lstrip(b"\0")  # padding of an encoder
    if ID3_TAG.match(head):
        return True
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sampling_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer in (1, 2) and 0 < bit_rate < 15 and sampling_rate != 3


def looks_like(head: bytes) -> str:
    """Name what else a file is that begins like this."""
    head = head.removeprefix(codecs.BOM_UTF8)[:HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or head[1:2] == b"\0" == head[3:4] != head[:1]:
        head = head.decode("utf-16", errors="ignore").encode()
    return next((name for name, pattern in OTHERS.items() if pattern.match(head)), "unknown data")

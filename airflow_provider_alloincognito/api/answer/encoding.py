"""The encoding of a response's body: whatever it is, the readers get UTF-8."""

from __future__ import annotations

import codecs
import functools
import json
import re
from email.message import Message

from airflow_provider_alloincognito.errors import AlloincognitoResponseError

LONGEST_MARK = 4
SEVEN_BIT = re.compile(r"utf-7|hz|iso2022_\w+")
ANY_BYTES = b"{\xff\xd0}"
# Latin-1 is what many servers declare without having been told; no Russian text can be in it.
TAKEN_FOR_UTF_8 = ("utf-8", "ascii", "iso8859-1")
LIKELY = {"windows-1251": "cp1251", "KOI8-R": "koi8-r", "IBM866": "cp866"}
COMMON_LETTERS = "оеаинтсрвл"
FOREIGN_WORD = re.compile("\ufffd{3,}")
NOT_FOREIGN = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]|[\xc0\xc1][\x80-\xbf]")  # surrogates, overlong forms
LONGEST_SAMPLE = 16
BEYOND_ASCII = re.compile(rb"[\x80-\xff]{1,%d}" % LONGEST_SAMPLE)


class BodyDecoder:
    """
    Converts a body to UTF-8 as it arrives.

    UTF-16 and UTF-32 are recognised by their first bytes. A declared charset is believed unless the first text beyond
    ASCII is valid UTF-8, which no text in another encoding is by chance. A charset of seven bits, such as UTF-7, shows
    nothing beyond ASCII: it is believed at once, and what does not fit it is an error.

    :param content_type: the header ``Content-Type``, if there is one.
    """

    def __init__(self, content_type: str | None) -> None:
        self._declared = _declared_charset(content_type or "")
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._started = self._decided = False

    def decode(self, chunk: bytes, *, last: bool = False) -> bytes:
        """
        Return the next bytes in UTF-8.

        :param chunk: the body's next bytes, cut anywhere.
        :param last: no more bytes will come.
        """
        if not self._decided:
            chunk, self._held = self._held + chunk, b""
            chunk = self._start(chunk, last=last) if not self._started else chunk
            if not self._decided:
                chunk = self._compare(chunk, last=last)
        if self._decoder is None:
            return chunk
        try:
            return self._decoder.decode(chunk).encode()
        except UnicodeDecodeError:
            raise AlloincognitoResponseError(
                f"Unexpected response: the body is not in {self._declared}, the charset that its header Content-Type "
                "declares. Nothing of it was kept: ask AlloIncognito's support to declare the right one."
            ) from None

    def _start(self, chunk: bytes, *, last: bool) -> bytes:
        if len(chunk) < LONGEST_MARK and not last:
            self._held = chunk
            return b""
        self._started = True
        encoding = json.detect_encoding(chunk[:LONGEST_MARK])
        if not encoding.startswith("utf-8"):
            self._decide(encoding)
        elif self._declared is None:
            self._decide(None)
        elif SEVEN_BIT.fullmatch(self._declared):
            self._decide(self._declared, "strict")
        elif "{".encode(self._declared) != b"{":
            self._decide(self._declared)
        return chunk.removeprefix(codecs.BOM_UTF8)

    def _compare(self, chunk: bytes, *, last: bool) -> bytes:
        """Decide on a charset that contains ASCII as soon as there is something else."""
        foreign = BEYOND_ASCII.search(chunk)
        if not self._started or foreign is None:
            return chunk
        is_whole = len(foreign[0]) < LONGEST_SAMPLE
        if is_whole and foreign.end() == len(chunk) and not last:  # more of it may come
            self._held = chunk
            return b""
        try:
            codecs.utf_8_decode(foreign[0], "strict", is_whole)
        except UnicodeDecodeError:
            self._decide(self._declared)
        else:
            self._decide(None)
        return chunk

    def _decide(self, encoding: str | None, errors: str = "replace") -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors) if encoding else None
        self._decided = True


@functools.lru_cache(maxsize=64)
def _declared_charset(content_type: str) -> str | None:
    header = Message()
    header["Content-Type"] = " ".join(content_type.split())
    charset = header.get_content_charset()
    try:
        known = codecs.lookup(charset or "utf-8").name
        known.encode(known)  # a LookupError unless it is an encoding of texts
        codecs.getincrementaldecoder(known)("replace").decode(ANY_BYTES, True)  # UTF-16 without its mark: an error
    except (LookupError, ValueError):
        return None
    return None if known in TAKEN_FOR_UTF_8 else known


def foreign_encoding(rows: bytes) -> str | None:
    """
    Return the likeliest encoding of rows that are not UTF-8; None if they are, but for some damaged texts.

    :param rows: rows that are not valid UTF-8 throughout.
    """
    text = NOT_FOREIGN.sub(b"?", rows).decode(errors="replace")
    damaged, beyond_ascii = text.count("\ufffd"), len(text) - len(text.encode("ascii", errors="ignore"))
    if 20 * len(FOREIGN_WORD.findall(text)) < rows.count(b"}") or beyond_ascii - damaged > damaged / 10:
        return None

    def likelihood(name: str) -> int:
        return sum(map(rows.decode(LIKELY[name], errors="replace").count, COMMON_LETTERS))

    return max(LIKELY, key=likelihood)

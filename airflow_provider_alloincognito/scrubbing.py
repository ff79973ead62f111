"""
Remove tokens and phone numbers from texts of the server, before they reach a log or an error, and from all that a
command prints.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import PurePath
from traceback import clear_frames, extract_tb
from urllib.parse import unquote

LONGEST_TEXT = 1 << 14
LONGEST_MESSAGE = 300
LONGEST_HASH = 160
MOST_NAMES = 50
MOST_ENCODINGS = 3

ANSI_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
TOKEN = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*|(?<=Bearer )\S+", re.IGNORECASE)
LONG_WORD = re.compile(r"[\w.+/=-]{60,}")
# A date or a time of day is kept. Seven digits or more are removed, in groups of any kind: what is between two of them
# is neither a letter nor a digit, or the escape of such a character. What has only the form of a date, a typo such as
# 2026-13-45, is kept too. A UUID may lose a part: better that than to keep
# a number.
DATE_OR_NUMBER = re.compile(
    r"""
    (?<!\d)
    (?P<date>
        (?:19|20)\d\d-\d\d?-\d\d? (?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[+-]\d\d:?\d\d)?)?
      | [0-3]\d\.[01]\d\.(?:19|20)\d\d (?:[ ][0-2]\d:[0-5]\d(?::[0-5]\d)?)?
      | [0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?
    ) (?![-_./:]?\d)
  | (?<!\d) \+?\d (?: (?:\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[nrt]|%[0-9a-f]{2}|[\W_])* \d ){6,}
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What a command prints holds numbers of other kinds as well, so this takes only what has a phone number's form, in any
# word (a file's name, a host's, a field's), and the logins in URLs. Digests, ids and times are kept.
KEPT_OR_PERSONAL = re.compile(
    r"""
    (?P<kept>
        (?<![0-9a-z]) (?:
            (?:19|20)\d\d-[01]\d-[0-3]\d (?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:[+-]\d\d:?\d\d)?)?
          | \d{4}-[01]\d-[0-3]\d[ ][0-2]\d:[0-5]\d (?!\d)
          | (?:19|20)\d\d-\d\d?-\d\d?[T ]\d\d:\d\d(?::\d\d)? (?!\d)  # a typo
          | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} (?![0-9a-z])
          | [0-9a-f]{32,} (?![0-9a-z])
        )
      | (?<=://) (?-i:[A-Z_]*:[A-Z_]+@)  # placeholders
    )
  | (?P<login> (?:(?<=://)|(?<=%3A%2F%2F)) (?:(?!%2F)[^\s/&"'])*? (?::|%3A) (?:(?!%2F)[^\s/&"'])* (?=@|%40) )
  | (?P<email> (?<![\w.+-]) (?<!://) [\w.+-]+ (?:@|%40) [\w-]+ (?:\.[\w-]+)+ )
  | (?<!\d) (?<!\d\.) \+? \d (?: (?:[^\S\n]|[()\u2010-\u2015-]){0,3} \d ){9,14} (?!\d)
        (?: (?:[^\S\n]|[()\u2010-\u2015-]){1,3} \+? \d+ (?!\d|[.:]\d) )*  # numbers side by side
  | (?<!\d) (?<!\d\.) \+? [78] (?=\d*\.\d+\.) (?:\.?\d){10} (?!\.?\d)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return ``text`` with ``<token>`` and ``<number>`` in place of tokens and phone numbers, on one line, shortened.

    :param text: any text of the server. Percent-encoding and HTML's entities are undone.
    :param secrets: tokens to remove besides all that look like one.
    """
    if len(text) > LONGEST_TEXT:
        text = " ".join(text[:LONGEST_TEXT].split()[:-1])  # without a last word, which may be half a token
    secrets = [secret for secret in secrets if secret]
    text = _replaced(text, secrets)
    for _ in range(MOST_ENCODINGS):
        text = _replaced(html.unescape(unquote(text)), secrets)
    text = LONG_WORD.sub("<token>", TOKEN.sub("<token>", _one_line(text)))
    return _shortened(_without_numbers(text), LONGEST_MESSAGE)


def scrub_hash(request_hash: str | None) -> str:
    """Return a ``requestHash`` as it may be shown: it is base64, in which a long word and a percent sign are usual."""
    text = TOKEN.sub("<token>", _one_line((request_hash or "None")[:LONGEST_TEXT]))
    return _shortened(_without_numbers(text), LONGEST_HASH)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return ``text``, as long as it is and with its lines, without tokens, phone numbers, e-mail addresses and logins.

    For what a command prints: texts of the server in it were scrubbed before.

    :param secrets: tokens to remove besides all that look like one.
    """
    text = TOKEN.sub("<token>", _replaced(ANSI_SEQUENCE.sub("", text), sorted(filter(None, secrets), key=len)[::-1]))
    text = KEPT_OR_PERSONAL.sub(lambda found: found["kept"] or f"<{found.lastgroup or 'number'}>", text)
    return "".join(one if one.isprintable() or one in "\n\t" else " " for one in text)


def scrub_names(names: Iterable[object]) -> str:
    """Return the names of fields as they may be shown, with commas between them, shortened."""
    return scrub(", ".join(map(str, islice(names, MOST_NAMES)))) or "none"


def place_of(error: Exception) -> str:
    """Return where an error was raised: enough to find it, and none of its text, which may quote anything."""
    place = extract_tb(error.__traceback__)[-1]
    return f"{PurePath(place.filename).name}, line {place.lineno}"


@contextmanager
def without_locals() -> Iterator[None]:
    """
    Let errors through without the local variables of the frames they came from.

    Tracebacks may be logged with local variables, as Airflow does; those of this package hold tokens and rows.
    """
    try:
        yield
    except BaseException as error:
        link: BaseException | None = error
        while link is not None:
            clear_frames(link.__traceback__)
            link = link.__context__
        raise


def _replaced(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "<token>")
    return text


def _one_line(text: str) -> str:
    """Return ``text`` without control characters and line breaks."""
    text = ANSI_SEQUENCE.sub("", text)
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _without_numbers(text: str) -> str:
    return DATE_OR_NUMBER.sub(lambda found: found["date"] or "<number>", text)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."

"""Remove tokens and phone numbers from texts of the server, before they reach a log or an error."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_MESSAGE = 300

TOKEN = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*|(?<=Bearer )\S+|[\w.+/=-]{60,}", re.IGNORECASE)
# Seven digits or more, in any groups. A date is kept. A UUID may lose a part: better that than to keep a number.
PHONE_NUMBER = re.compile(
    r"(?<!\d)(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?![-\d]))\+?\d(?:[\s().\u2010-\u2015\u2212-]*\d){6,}(?!\d)"
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return ``text`` with ``<token>`` and ``<number>`` in place of tokens and phone numbers, on one line, shortened.

    :param text: any text of the server.
    :param secrets: tokens to remove besides all that look like one.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<token>")
    text = TOKEN.sub("<token>", text)
    text = PHONE_NUMBER.sub("<number>", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."

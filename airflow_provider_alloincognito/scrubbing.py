"""Take tokens and phone numbers out of texts that the server wrote, before anybody sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_MESSAGE = 300

TOKEN = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*|(?<=Bearer )\S+|[\w.+/=-]{60,}", re.IGNORECASE)
# Seven digits or more, however they are grouped. A date is let through; a UUID may lose a part, which
# is the cheaper mistake.
PHONE_NUMBER = re.compile(
    r"(?<!\d)(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?![-\d]))\+?\d(?:[\s().\u2010-\u2015\u2212-]*\d){6,}(?!\d)"
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return ``text`` with every token and phone number replaced by a mark, on one line, cut to a sane length.

    :param text: anything the server said.
    :param secrets: values to remove besides what looks like a token.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<token>")
    text = TOKEN.sub("<token>", text)
    text = PHONE_NUMBER.sub("<number>", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."

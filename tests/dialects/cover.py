"""Dialects in which every answer to a question meets every answer to every other."""

from __future__ import annotations

import random
from collections.abc import Sequence

from allpairspy import AllPairs
from dialect_runs import Dialect
from switches import COMBINATIONS, SWITCHES, Answer

# Without a hash, nothing else can be tried but the call list.
_CHOICES = [[answer for answer in switch.answers if answer.has_hash] for switch in SWITCHES]


def dialects() -> list[Dialect]:
    """Return the cover and random dialects, the same each time."""
    cover = [tuple(answers) for answers in AllPairs(_CHOICES, filter_func=_is_possible)]
    rng = random.Random("dialects")
    while len(cover) < COMBINATIONS:
        answers = tuple(rng.choice(choices) for choices in _CHOICES)
        if _is_possible(answers) and answers not in cover:
            cover.append(answers)
    return [Dialect(answers) for answers in cover]


def _is_possible(answers: Sequence[Answer]) -> bool:
    """Leave out what no client could tell apart, or what the API's text rules out. Also for the first few answers."""
    said = {name: value for answer in answers for name, value in answer.sandbox.items()}
    null_is_pending = any(answer.extra.get("null_rowset") == "pending" for answer in answers)
    if null_is_pending and said.get("empty_rowset") == "null":
        return False
    # By the text each response has a requestHash; without it nobody could ask again.
    style, result = said.get("pending_style"), said.get("error_result", "envelope")
    without_hash = style == "empty_202" or (style == "error_code" and result != "envelope")
    return not (said.get("call_list_answer") == "pending" and without_hash)

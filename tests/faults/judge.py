"""Says what is wrong with what came of an entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from entry import Entry, Expect, Seen
from raw_server import rows
from runs import Outcome

AFTER_SIGNAL = 0.15
"""A request that was on its way when the signal came is not held against a call."""


def problems(outcome: Outcome) -> list[str]:
    """Return what is wrong; nothing if all is as expected."""
    if outcome.seen is None:
        return [outcome.stuck]
    entry, seen = outcome.entry, outcome.seen
    return [
        *_ending(entry, seen),
        *_bounds(entry, seen),
        *_left_over(entry, seen),
        *seen.store_problems,
        *_texts(entry.expect, seen),
        *_leaks(outcome, seen),
        *([f"{said}"] if entry.expect.check is not None and (said := entry.expect.check(seen)) else []),
    ]


def _ending(entry: Entry, seen: Seen) -> Iterator[str]:
    expect = entry.expect
    wanted = (expect.error,) if isinstance(expect.error, str) else expect.error
    if entry.stop is not None:
        if not seen.error:
            yield "It ended without an exception although it was stopped."
        return
    if not seen.error:
        if expect.truth:
            yield from _untruth(entry, seen)
        else:
            yield f"No error, expected {' or '.join(wanted)}. It returned {str(seen.value)[:200]}"
    elif not set(wanted) & set(seen.error):
        due = " or ".join(["the truth"] * expect.truth + list(wanted))
        yield f"{seen.error[0]} instead of {due}: {seen.text[:300]}"


def _untruth(entry: Entry, seen: Seen) -> Iterator[str]:
    value, arguments = seen.value, entry.arguments
    if "truth" in arguments or entry.expect.check is not None:
        return
    if entry.call in ("list_calls", "land_list", "request_result", "list_operator", "result_operator"):
        expected = len(rows())
        if not isinstance(value, list) or [int(row["id"]) for row in value] != list(range(expected)):
            yield f"Wrong rows: {str(value)[:200]}"
    elif entry.call in ("recordings", "recording_operator") and "ids" in arguments:
        wanted = len(arguments["ids"])
        if value["failed"] or value["whole"] != wanted:
            yield f"{value['whole']} of {wanted} recordings have landed, {value['failed']} failed."
    elif entry.call in ("one_recording", "one_recording_landed") and value is not True:
        yield "A wrong recording."
    elif entry.call in ("dag_sensor", "dag_operator") and value != ["success", 1]:
        yield f"The task's state and tries are {value}."
    elif entry.call == "trigger" and value != "ready":
        yield f"The event says {value}."


def _bounds(entry: Entry, seen: Seen) -> Iterator[str]:
    expect = entry.expect
    seconds = seen.processor if entry.heavy and entry.stop is None else _seconds(seen)
    if seconds > expect.seconds:
        yield f"It took {seconds:.1f} s, more than {expect.seconds} s."
    if seconds < expect.least:
        yield f"It took {seconds:.2f} s, less than {expect.least} s."
    if seen.memory > expect.memory:
        yield f"Memory grew by {seen.memory:.0f} MB, more than {expect.memory} MB."
    if expect.loop_held is not None and seen.loop_held > expect.loop_held:
        yield f"The event loop was held for {seen.loop_held * 1000:.0f} ms, more than {expect.loop_held * 1000:.0f} ms."
    for method, most in expect.most.items():
        if len(seen.sent(method)) > most:
            yield f"{len(seen.sent(method))} requests to {method}, more than {most}."
    if expect.final is not None and seen.retryable is expect.final:
        yield f"Airflow {'retries' if seen.retryable else 'does not retry'} the task."


def _seconds(seen: Seen) -> float:
    return seen.seconds if seen.stopped is None else seen.ended - seen.stopped


def _left_over(entry: Entry, seen: Seen) -> Iterator[str]:
    if unfinished := [name for name in seen.left if name.endswith(".part")]:
        yield f"{len(unfinished)} unfinished files are left: {unfinished[0]}"
    if seen.in_flight:
        yield f"{seen.in_flight} responses were left unread on open connections."
    if seen.threads:
        yield f"Threads still run: {', '.join(seen.threads[:3])} ({len(seen.threads)} in all)."
    if seen.error and entry.call not in ("recordings", "recording_operator"):
        final = [name for name in seen.left if name.endswith((".jsonl", ".csv", ".parquet", ".mp3"))]
        if final and entry.stop is None and "landed" not in entry.arguments:
            yield f"Something stands under a final name: {final[0]}"
    if seen.stopped is not None:
        late = [one for one in seen.requests if one.time > seen.stopped + AFTER_SIGNAL]
        if late:
            seconds = late[-1].time - seen.stopped
            yield f"{len(late)} requests after the signal, the last ({late[-1].method}) {seconds:.1f} s after it."


def _texts(expect: Expect, seen: Seen) -> Iterator[str]:
    text = seen.text.lower()
    for wanted in expect.says if seen.error else ():
        choices = (wanted,) if isinstance(wanted, str) else wanted
        if not any(choice.lower() in text for choice in choices):
            yield f"The error does not say {' or '.join(map(repr, choices))}: {seen.text[:300]}"
    for word in expect.never_says:
        if word in seen.shown:
            yield f"{word!r} is shown: {_around(seen.shown, word)}"
    if len(seen.text) > 1500:
        yield f"The error's text has {len(seen.text)} characters."
    for word in expect.logs:
        warnings = [text for level, text in seen.logs if level in ("WARNING", "ERROR") and word.lower() in text.lower()]
        if len(warnings) != 1:
            yield f"{len(warnings)} warnings with {word!r}, expected one."


def _leaks(outcome: Outcome, seen: Seen) -> Iterator[str]:
    for canary in outcome.canaries:
        if canary in seen.shown:
            yield f"A token or a file name is shown: {_around(seen.shown, canary)}"
        elif outcome.entry.expect.locals and canary in seen.locals:
            yield f"A token or a file name is in a traceback with locals: {_around(seen.locals, canary)}"
    if _holds_number(seen.shown, outcome.number):
        yield f"A phone number is shown: {_line_with(seen.shown, outcome.number)}"
    elif outcome.entry.expect.locals and _holds_number(seen.locals, outcome.number):
        yield f"A phone number is in a traceback with locals: {_line_with(seen.locals, outcome.number)}"


GROUPING = re.compile(r"[\s()/_.,:%+\u00a0\u2010-\u2015\u2212-]|\x1b\[\d*m")


def _holds_number(text: str, number: str) -> bool:
    bare = number[1:]
    return any(bare in GROUPING.sub("", one) for line in text.splitlines() for one in (line, unquote(line)))


def _line_with(text: str, number: str) -> str:
    return next(line.strip()[:250] for line in text.splitlines() if _holds_number(line, number))


def _around(text: str, word: str) -> str:
    at = text.index(word)
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return (line[-120:] + text[at : at + 40]).replace("\n", " ").strip()


def times(outcomes: Mapping[str, Outcome]) -> str:
    """A table of all entries: how long each took, its bound, and what is wrong."""
    lines = []
    for name, outcome in sorted(outcomes.items()):
        seen, bound = outcome.seen, outcome.entry.expect.seconds
        took = (
            "killed" if seen is None else f"{seen.seconds if seen.stopped is None else seen.ended - seen.stopped:.1f}"
        )
        growth = "" if seen is None else f"{seen.memory:.0f} MB"
        found = problems(outcome)
        lines.append(f"{name:48} {took:>7} of {bound:>5} s {growth:>8}  {' | '.join(found) or 'ok'}")
    return "\n".join(lines) + "\n"

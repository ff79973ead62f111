"""
Erase the calls and recordings of phone numbers from landed files.

In each period the calls' file is rewritten last: it tells which recordings belong to a number, so a run that was
killed, and run again, finds them again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_alloincognito.landing.folders import (
    JOURNAL,
    RECORDING,
    PeriodFolder,
    calls_folders,
    is_recordings_file,
    listed_folders,
    recordings_folders,
    remove_file,
    stream_folders,
)
from airflow_provider_alloincognito.landing.formats import filter_rows, read_rows, usable_ids
from airflow_provider_alloincognito.landing.layout import Layout, is_calls_file
from airflow_provider_alloincognito.landing.manifest import MANIFEST, ManifestLine
from airflow_provider_alloincognito.landing.stores import leftovers_of, whole_file
from airflow_provider_alloincognito.landing.stores.targets import Target, open_for_reading
from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch

_log = logging.getLogger(__name__)
_LINE = msgspec.json.Decoder(ManifestLine)


@dataclass(frozen=True, slots=True)
class Erased:
    """
    What was erased of a period. It does not hold a number.

    :param period: its name: ``2026-03-01`` for a day, ``reconcile 2026-03-01`` for what is compared with it, and
        ``stream ...`` for a window that ``alloincognito_stream`` has landed.
    :param calls: how many rows.
    :param recordings: how many recordings' files.
    """

    period: str
    calls: int
    recordings: int


def erase(
    layout: Layout,
    match: NumberMatch,
    fields: Sequence[str],
    *,
    record_file_id_field: str | None,
    log: logging.Logger = _log,
) -> Iterator[Erased]:
    """
    Erase all calls of some numbers, their recordings, and the recordings' lines in manifests and journals. Also the
    calls that ``alloincognito_stream`` has landed, and that a run of ``alloincognito_reconcile`` has left.

    Yields what was erased of each period that had any of it, as soon as that is done. All other rows stay as they are,
    in their order, and files without a match are not touched. Run again after it was killed, it goes on.

    :param layout: where the files are.
    :param match: the numbers.
    :param fields: the landed fields with numbers: a call is erased if one of them matches.
    :param record_file_id_field: the landed field with the recording's id; None if there are no recordings.
    :param log: gets a line for each period, without a number.
    :raises AlloincognitoFormatError: if a file lacks one of the fields.
    :raises AlloincognitoQueryError: if the numbers were landed as digests and there is no key.
    :raises AlloincognitoTargetError: if a file cannot be read or written.
    """
    if not fields:
        raise ValueError("fields is empty: name the fields of the landed calls that hold phone numbers.")
    fields = list(dict.fromkeys(fields))
    copies = [("stream", one) for one in stream_folders(layout)]
    copies += [("reconcile", one) for one in listed_folders(layout)]
    for kind, copy in copies:
        rows = sum(_erase_rows(file, _find(file, match, fields, None).rows, match, fields) for file in _calls_in(copy))
        if rows:
            log.info("Erased %s calls of %s that alloincognito_%s keeps", rows, copy.period, kind)
            yield Erased(f"{kind} {copy.period}", rows, 0)
    calls = {folder.period: folder for folder in calls_folders(layout)}
    recordings = {folder.period: folder for folder in recordings_folders(layout)}
    for period in dict.fromkeys([*calls, *recordings]):
        files = _calls_in(calls[period]) if period in calls else []
        found = [_find(file, match, fields, record_file_id_field) for file in files]
        ids = {one for in_file in found for one in in_file.ids}
        erased_recordings = _erase_recordings(recordings[period], ids, match) if period in recordings else 0
        rows = sum(_erase_rows(file, one.rows, match, fields) for file, one in zip(files, found, strict=True))
        if rows or erased_recordings:
            log.info("Erased %s calls and %s recordings of %s", rows, erased_recordings, period)
            yield Erased(period, rows, erased_recordings)


def _calls_in(folder: PeriodFolder) -> list[Target]:
    return [folder.path / name for name in folder.files(is_calls_file)]


@dataclass(frozen=True, slots=True)
class _Found:
    rows: int
    ids: set[str]


def _find(calls: Target, match: NumberMatch, fields: Sequence[str], id_field: str | None) -> _Found:
    names = list(dict.fromkeys([*fields, *([id_field] if id_field else [])]))
    place = names.index(id_field) if id_field else None
    rows = 0
    ids: set[str] = set()
    for values in read_rows(calls, names):
        if any(map(match.matches, values[: len(fields)])):
            rows += 1
            if place is not None:
                ids.update(usable_ids([values[place]]))
    return _Found(rows, ids)


def _erase_rows(calls: Target, rows: int, match: NumberMatch, fields: Sequence[str]) -> int:
    leftovers = leftovers_of(calls)
    if not rows:
        leftovers.remove(str(calls).rpartition("/")[2])  # those of killed landings may hold the number
        return 0
    erased = 0

    def keep(values: tuple[Any, ...]) -> bool:
        nonlocal erased
        is_kept = not any(map(match.matches, values))
        erased += not is_kept
        return is_kept

    with whole_file(calls, leftovers=leftovers) as copy:
        filter_rows(calls, copy, fields, keep)
    return erased


def _erase_recordings(folder: PeriodFolder, ids: set[str], match: NumberMatch) -> int:
    own = folder.files(is_recordings_file)
    lists = [folder.path / name for name in (MANIFEST, JOURNAL) if name in own]
    ids = ids.union(*(_ids_named_after(file, match) for file in lists))
    if not ids:
        return 0
    wanted = [name for name in own if (found := RECORDING.fullmatch(name)) and found["id"] in ids]
    for name in wanted:
        remove_file(folder.path / name)
    for file in lists:
        _erase_lines(file, ids)
    return len(wanted)


def _ids_named_after(file: Target, match: NumberMatch) -> set[str]:
    """Return the ids of the recordings whose ``file_name`` has one of the numbers."""
    with open_for_reading(file) as lines:
        return {line.id for line in map(_line_of, lines) if line and match.is_in(line.file_name or "")}


def _erase_lines(file: Target, ids: set[str]) -> None:
    """Write the other lines of a manifest or a journal, as they are, if there is one to erase."""

    def is_kept(text: bytes) -> bool:
        line = _line_of(text)
        return line is not None and line.id not in ids  # half a line, which a killed run left, goes as well

    with open_for_reading(file) as lines:
        if all(map(is_kept, lines)):
            return
    with open_for_reading(file) as lines, whole_file(file) as copy:
        copy.writelines(filter(is_kept, lines))


def _line_of(text: bytes) -> ManifestLine | None:
    try:
        return _LINE.decode(text)
    except ValueError:
        return None

"""Where the answers of the chosen operations have the fields that the API's text names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from airflow_provider_alloincognito.cli.discover import answers
from airflow_provider_alloincognito.cli.discover.answers import Path, Spot, find, find_rows
from airflow_provider_alloincognito.cli.discover.methods import FEWEST_CALL_FIELDS, Method
from airflow_provider_alloincognito.cli.discover.openapi import Operation
from airflow_provider_alloincognito.cli.discover.schemas import Schema

Taken = Mapping[Method, Operation]
"""The operation of each method that was found."""

PAIR: tuple[Method, ...] = ("create", "refresh")
FILES: tuple[Method, ...] = ("getcallrecordfile", "getrequestresultbyhash")
ROWS: tuple[Method, ...] = ("getcalllist", "getrequestresultbyhash")
DATA: tuple[Method, ...] = ("getcalllist", *FILES)
FIELDS: tuple[tuple[str, answers.Judge, float, tuple[Method, ...]], ...] = (
    ("requestHash", answers.request_hash, 2.5, DATA),
    ("fileContent", answers.file_content, 2.0, FILES),
    ("file_NAME", answers.file_name, 2.5, FILES),
    ("errorCode", answers.error_code, 3.0, DATA),
    ("errorMessage", answers.error_message, 3.0, DATA),
    ("accessToken", answers.access_token, 1.5, PAIR),
    ("refreshToken", answers.refresh_token, 2.0, PAIR),
    ("accessTokenExpiredIn", answers.expiry_of("access"), 3.0, PAIR),
    ("refreshTokenExpiredIn", answers.expiry_of("refresh"), 3.0, PAIR),
)
"""
The API text's name of a field, how it is recognized, the points that it needs, and the methods that have it. A field of
an answer has one meaning: the first.
"""
SUCCESS = re.compile(r"20\d|1|success", re.IGNORECASE)


def find_places(taken: Taken) -> dict[str, list[Path]]:
    """Return the API text's names of the answers' fields with the paths at which the server has them."""
    found: dict[str, list[Path]] = {}
    for name, judge, enough, methods in FIELDS:
        found[name] = _others(_paths(_spots(taken, methods, judge, enough)), found)
    found["rowset"] = list(dict.fromkeys(_rows_paths(taken)))
    if not found["errorCode"]:
        of_others = {name: paths for name, paths in found.items() if name != "errorMessage"}
        found |= {name: _others(paths, of_others) for name, paths in _top_level_errors(taken).items()}
    return found


def success_codes(taken: Taken) -> list[str]:
    """Return the codes that the examples of a success have, where these are not the usual ones."""
    codes = set()
    for method in DATA:
        if method in taken:
            spot = find(taken[method].answer, answers.error_code, 2.0)
            if spot is not None and isinstance(spot.schema.example, int | str):
                codes.add(str(spot.schema.example))
    return sorted(filter(SUCCESS.fullmatch, codes))


def _rows_paths(taken: Taken) -> Iterator[Path]:
    for method in ROWS:
        rows = find_rows(taken[method].answer) if method in taken else None
        if rows is not None and rows.likeness >= FEWEST_CALL_FIELDS:
            yield rows.path


def _spots(taken: Taken, methods: Sequence[Method], judge: answers.Judge, enough: float) -> Iterator[Spot]:
    for method in methods:
        if method in taken:
            for answer in (taken[method].answer, *_failures(taken[method], judge)):
                if (spot := find(answer, judge, enough)) is not None:
                    yield spot


def _failures(operation: Operation, judge: answers.Judge) -> Iterator[Schema]:
    """Yield the answers of failures, where errors are looked for."""
    if judge in (answers.error_code, answers.error_message):
        for one in operation.answers:
            if one.status[:1] in "45d" and "json" in (one.media or "json") and one not in operation.good:
                yield one.schema


def _top_level_errors(taken: Taken) -> dict[str, list[Path]]:
    """A code beside a message at the top is an envelope's, such as ``{"code": 0, "message": "", "data": {}}``."""
    codes = _shortest(_paths(_spots(taken, DATA, answers.error_code, 2.0)))
    messages = _shortest(_paths(_spots(taken, DATA, answers.error_message, 2.0)))
    return {"errorCode": codes, "errorMessage": messages} if codes and messages else {}


def _paths(spots: Iterator[Spot]) -> list[Path]:
    return list(dict.fromkeys(spot.path for spot in spots))


def _others(paths: list[Path], known: Mapping[str, list[Path]]) -> list[Path]:
    """Return the paths that are not those of another field."""
    return [path for path in paths if all(path not in others for others in known.values())]


def _shortest(paths: list[Path]) -> list[Path]:
    """Return those of one name."""
    return [path for path in paths if not path[1:]]

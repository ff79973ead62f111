"""
Which operation of a document is which of the API's methods.

By what it takes and what it answers, each a point or more; what its words say counts least. What two operations share
is no reason to take one of them: if two are close, neither is chosen, and the user is asked (``--choose``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.cli.discover import answers
from airflow_provider_alloincognito.cli.discover.answers import Rows, Spot, find
from airflow_provider_alloincognito.cli.discover.openapi import Operation, Parameter
from airflow_provider_alloincognito.cli.discover.parameters import Role, assign
from airflow_provider_alloincognito.cli.discover.words import Said
from airflow_provider_alloincognito.errors import AlloincognitoQueryError

Method = Literal["create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash"]
METHODS: tuple[Method, ...] = ("create", "refresh", "getcalllist", "getcallrecordfile", "getrequestresultbyhash")
Confidence = Literal["certain", "likely", "unsure"]

DEFAULTS = Settings()

POSSIBLE, LIKELY, CERTAIN = 4.0, 6.0, 8.0
"""Points from which on an operation is a candidate, a likely one, a certain one."""
CLEAR_LEAD = 1.5
MOST_REASONS = 3
CERTAIN_LEAD = 2.5
FEWEST_CALL_FIELDS = 2.0
AUDIO = re.compile(r"audio/|application/octet-stream|mpeg|mp3|wav", re.IGNORECASE)
PHRASE = re.compile(r"refresh[-_ ]?(?:токен|token)\w*|(?:токен|token)\w* обновлен\w*", re.IGNORECASE)
USABLE_VERBS = ("GET", "POST")


@dataclass(frozen=True)
class Reason:
    """Points for an operation, and why."""

    points: float
    text: str


@dataclass(frozen=True)
class Candidate:
    """
    An operation that may be a method.

    :param operation: it.
    :param reasons: for and against it.
    :param roles: of its parameters, by the API text's names.
    """

    operation: Operation
    reasons: tuple[Reason, ...]
    roles: Mapping[str, Parameter] = field(default_factory=dict, repr=False)

    @cached_property
    def points(self) -> float:
        return sum(reason.points for reason in self.reasons)

    @property
    def why(self) -> str:
        """The best reasons for it."""
        best = sorted((one for one in self.reasons if one.points > 0), key=lambda one: -one.points)
        return "; ".join(one.text for one in best[:MOST_REASONS])


@dataclass(frozen=True)
class Choice:
    """
    What was found for a method.

    :param method: the API's.
    :param candidates: the operations that may be it, the best first.
    :param best: the one that is taken; None if there is none, or if it is not clear which.
    :param confidence: how sure that is.
    :param chosen: by the user.
    """

    method: Method
    candidates: tuple[Candidate, ...]
    best: Candidate | None = None
    confidence: Confidence = "unsure"
    chosen: bool = False


class Features:
    """What an operation takes and answers, looked at once."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.parameters = [one for one in operation.parameters if one.where not in ("header", "cookie")]

    @cached_property
    def roles(self) -> dict[Role, Parameter]:
        return assign(self.parameters)

    @cached_property
    def rows(self) -> Rows | None:
        return find_rows_of(self.operation)

    @cached_property
    def call_likeness(self) -> float:
        return self.rows.likeness if self.rows is not None else 0.0

    def spot(self, judge: answers.Judge, enough: float) -> Spot | None:
        return find(self.operation.answer, judge, enough)

    @cached_property
    def access(self) -> Spot | None:
        return self.spot(answers.access_token, 1.5)

    @cached_property
    def refresh(self) -> Spot | None:
        return self.spot(answers.refresh_token, 2)

    @cached_property
    def content(self) -> Spot | None:
        return self.spot(answers.file_content, 2)

    @cached_property
    def hash(self) -> Spot | None:
        return self.spot(answers.request_hash, 2.5)

    @cached_property
    def is_described(self) -> bool:
        """Whether the document says what the answer holds."""
        return any(answers.leaves(self.operation.answer)) or self.rows is not None

    @cached_property
    def path(self) -> Said:
        """What the path and the name say. Tags come last, and say what all of a group has in common."""
        path = re.sub(r"\{[^}]*\}", " ", self.operation.path)
        return Said(f"{path} {self.operation.name}", PHRASE.sub(" ", self.operation.summary))

    @cached_property
    def required(self) -> list[Parameter]:
        return [one for one in self.parameters if one.required and one.schema.default is None]

    @cached_property
    def key(self) -> Parameter | None:
        """The one parameter that it cannot do without, or that is all it has."""
        found = [one for one in self.parameters if one.where == "path"] or self.required or self.parameters
        scalars = [one for one in found if one.schema.type in ("", "string", "integer")]
        return scalars[0] if len(scalars) == 1 and len(found) == 1 else None

    @cached_property
    def is_audio(self) -> bool:
        """Whether it answers with sound itself, not with JSON that holds it."""
        return any(AUDIO.search(one.media) for one in self.operation.good) or (
            self.operation.answer.type == "file" or self.operation.answer.format == "binary"
        )


def find_rows_of(operation: Operation) -> Rows | None:
    """Return the rows of an operation's answer."""
    return answers.find_rows(operation.answer)


def match(operations: Sequence[Operation], chosen: Mapping[Method, str] | None = None) -> dict[Method, Choice]:
    """
    Find each method.

    :param operations: of all documents.
    :param chosen: the operation of a method, such as ``POST /calls``, as the user says.
    :raises AlloincognitoQueryError: if there is no such operation.
    """
    features = [Features(one) for one in operations if one.verb in USABLE_VERBS]
    chosen = chosen or {}
    found: dict[Method, Choice] = {}

    def judge(method: Method, score: Callable[[Features], list[Reason]]) -> None:
        if method in chosen:
            found[method] = _choice_of_user(method, chosen[method], features, score)
            return
        candidates = []
        for one in features:
            reasons = [reason for reason in (*_usual_place(method, one), *score(one)) if reason.points]
            if reasons and sum(reason.points for reason in reasons) >= POSSIBLE:
                candidates.append(_candidate(method, one, reasons))
        found[method] = _choice(method, candidates)

    # What a call list that answers with a handle alone leads to.
    results = [one.key.name for one in features if one.key is not None and one.call_likeness >= FEWEST_CALL_FIELDS]
    judge("getcalllist", lambda one: _call_list(one, results))
    listed = found["getcalllist"].best
    rows = find_rows_of(listed.operation) if listed is not None else None
    judge("getcallrecordfile", lambda one: _recording(one, rows))
    handle = Features(listed.operation).hash if listed is not None else None
    judge("getrequestresultbyhash", lambda one: _result(one, handle))
    judge("refresh", lambda one: _pair(one, is_refresh=True))
    renewing = found["refresh"].best
    judge("create", lambda one: _create(one, renewing.operation if renewing is not None else None))
    return _without_doubles(found)


def _usual_place(method: Method, one: Features) -> list[Reason]:
    is_usual = one.operation.path.endswith(DEFAULTS.path_of(method))
    return [Reason(4, "it is where the API's text has it")] if is_usual else []


def _candidate(method: Method, one: Features, reasons: list[Reason]) -> Candidate:
    roles: Mapping[str, Parameter] = {}
    if method == "getcalllist":
        roles = {str(role): parameter for role, parameter in one.roles.items()}
    elif method == "getcallrecordfile" and one.key is not None:
        roles = {"recordFileId": one.key}
    elif method == "getrequestresultbyhash" and one.key is not None:
        roles = {"requestHash": one.key}
    return Candidate(one.operation, tuple(reasons), roles)


def _choice(method: Method, candidates: list[Candidate]) -> Choice:
    ordered = tuple(sorted(candidates, key=lambda one: -one.points))
    if not ordered:
        return Choice(method, ())
    best = ordered[0]
    lead = best.points - ordered[1].points if len(ordered) > 1 else CERTAIN_LEAD
    if lead < CLEAR_LEAD:
        return Choice(method, ordered)
    confidence: Confidence = "unsure"
    if best.points >= LIKELY:
        confidence = "certain" if best.points >= CERTAIN and lead >= CERTAIN_LEAD else "likely"
    return Choice(method, ordered, best, confidence)


def _choice_of_user(
    method: Method, wanted: str, features: Sequence[Features], score: Callable[[Features], list[Reason]]
) -> Choice:
    words = wanted.split()
    path, verb = words[-1] if words else "", words[0].upper() if len(words) > 1 else None
    fits = [one for one in features if one.operation.path in (path, f"/{path}") and verb in (None, one.operation.verb)]
    fits = fits or [one for one in features if one.operation.path.endswith(path) and verb in (None, one.operation.verb)]
    if len(fits) != 1:
        what = "more than one operation is" if fits else "no GET or POST of the document is"
        raise AlloincognitoQueryError(
            f'--choose {method}="{wanted}": {what} meant. Name verb and path as discover lists them, such as '
            f'--choose {method}="POST /api/v1/calls".'
        )
    candidate = _candidate(method, fits[0], [Reason(POSSIBLE, "you chose it"), *score(fits[0])])
    return Choice(method, (candidate,), candidate, "certain", chosen=True)


def _without_doubles(found: dict[Method, Choice]) -> dict[Method, Choice]:
    """Leave an operation to the method that it fits best."""
    for method in METHODS:
        mine = found[method]
        for other in METHODS:
            theirs = found[other]
            if method == other or mine.best is None or theirs.best is None or mine.chosen:
                continue
            if mine.best.operation is theirs.best.operation and (
                theirs.chosen or theirs.best.points > mine.best.points
            ):
                found[method] = mine = _choice(
                    method, [one for one in mine.candidates if one.operation is not theirs.best.operation]
                )
    return {method: found[method] for method in METHODS}


# The points of one operation for each method


def _common(one: Features, needed: Sequence[Parameter]) -> list[Reason]:
    """What speaks against any operation: it is out of date, or wants what the package does not send."""
    unknown = [parameter.name for parameter in one.required if parameter not in needed]
    against = [Reason(-1.5 * min(len(unknown), 3), f"it wants {', '.join(unknown)} as well")] if unknown else []
    return against + ([Reason(-2, "it is deprecated")] if one.operation.is_deprecated else [])


def _call_list(one: Features, results: Sequence[str]) -> list[Reason]:
    roles, path = one.roles, one.path
    period = [role for role in ("periodStart", "periodEnd") if role in roles]
    has_calls = one.call_likeness >= FEWEST_CALL_FIELDS
    if not (len(period) == 2 or has_calls) or not (has_calls or one.hash or path.names("call")):
        return []
    if any(parameter.where == "path" for parameter in one.parameters):
        return []
    filters = [role for role in roles if role not in period]
    reasons = _common(one, list(roles.values()))
    if has_calls:
        known = ", ".join(guess.field for guess in one.rows.guesses) if one.rows is not None else ""
        reasons.append(Reason(min(one.call_likeness, 5), f"its rows look like calls ({known})"))
    if len(period) == 2:
        reasons.append(Reason(2.5, f"it takes a period ({roles['periodStart'].name}, {roles['periodEnd'].name})"))
    if filters:
        names = ", ".join(roles[role].name for role in filters)
        reasons.append(Reason(min(0.7 * len(filters), 3), f"it takes filters of calls ({names})"))
    if path.has("call"):
        reasons.append(Reason(1, "its words speak of calls"))
    if one.hash is not None:
        leads = not has_calls and any(_same_name(one.hash.path[-1], name) for name in results)
        to_what = ", which another operation takes and answers with calls" if leads else ""
        handle = ".".join(one.hash.path)
        reasons.append(Reason(3.5 if leads else 0.5, f"its answer has a handle of the request ({handle}){to_what}"))
    for meaning, what in (
        ("stats", "statistics"),
        ("live", "calls that go on or were missed"),
        ("other", "other things"),
    ):
        if path.names(meaning):
            reasons.append(Reason(-2, f"its path speaks of {what}"))
    if path.names("export"):
        reasons.append(Reason(-1, "it makes a file"))
    return reasons


def _pair(one: Features, *, is_refresh: bool) -> list[Reason]:
    has_tokens = one.access is not None and one.refresh is not None and one.access.path != one.refresh.path
    if not has_tokens and (one.is_described or one.parameters or not one.path.names("token")):
        return []
    wanted = [parameter for parameter in one.required if parameter.where != "path"]
    names = " ".join(parameter.name for parameter in wanted)
    if Said(names).names("password"):
        return []  # the login of a person
    reasons = _common(one, [])
    if one.access is not None and one.refresh is not None:
        paths = ".".join(one.access.path), ".".join(one.refresh.path)
        reasons.append(Reason(4, f"its answer has two tokens ({paths[0]}, {paths[1]})"))
    else:
        reasons.append(Reason(1, "its path speaks of tokens, and its answer is not described"))
    if one.spot(answers.expiry_of("access"), 3):
        reasons.append(Reason(1, "and says when they end"))
    renews = 3 * one.path.names("refresh") + ("refresh" in one.path.in_text) + 2 * Said(names).names("refresh")
    makes = 2 * one.path.names("create") + ("create" in one.path.in_text)
    difference = renews - makes if is_refresh else makes - renews
    if difference > 0:
        reasons.append(
            Reason(min(2 + difference, 4), f"its words speak of {'renewing' if is_refresh else 'making'} them")
        )
    elif difference < 0:
        reasons.append(
            Reason(max(-2 + difference, -4), f"its words speak of {'making' if is_refresh else 'renewing'} them")
        )
    return reasons


def _create(one: Features, renewing: Operation | None) -> list[Reason]:
    if one.operation is renewing:
        return []
    reasons = _pair(one, is_refresh=False)
    return [*reasons, Reason(2, "another operation renews them")] if reasons and renewing is not None else reasons


def _recording(one: Features, rows: Rows | None) -> list[Reason]:
    if one.key is None or (one.content is None and not one.is_audio and one.is_described):
        return []
    said = Said(one.key.name, one.key.description)
    if said.names("hash") or one.path.names("upload"):
        return []
    reasons = _common(one, [one.key])
    if one.content is not None:
        reasons.append(
            Reason(min(one.content.points, 4), f"its answer has a file in base64 ({'.'.join(one.content.path)})")
        )
    elif one.is_audio:
        reasons.append(Reason(3, f"it answers with sound ({one.operation.good[0].media or 'a file'})"))
    if said.has("recording", "file"):
        reasons.append(
            Reason(2 if said.names("recording", "file") else 1, f"it takes the id of a recording ({one.key.name})")
        )
    if rows is not None and one.key.name.lower() in [
        guess.field.lower() for guess in rows.guesses if guess.role == "record_file_id"
    ]:
        reasons.append(Reason(2, f"the rows of calls have a field {one.key.name}"))
    if one.path.has("recording"):
        reasons.append(Reason(2 if one.path.names("recording") else 1, "its words speak of recordings"))
    if one.path.has("call"):
        reasons.append(Reason(0.5, "and of calls"))
    if one.spot(answers.file_name, 2):
        reasons.append(Reason(0.5, "and the name of the file"))
    if one.path.names("other"):
        reasons.append(Reason(-3, "its path speaks of other things"))
    return reasons


def _result(one: Features, handle: Spot | None) -> list[Reason]:
    if one.key is None:
        return []
    said = Said(one.key.name, one.key.description)
    is_handle = handle is not None and _same_name(handle.path[-1], one.key.name)
    points = 4.0 if said.names("hash") else 3.0 if said.names("request", "result") else 2.0 if said.has("hash") else 0.0
    if not points and not is_handle and not one.path.names("result", "request"):
        return []
    if one.is_described and one.rows is None and one.content is None and not is_handle:
        return []
    reasons = [*_common(one, [one.key]), Reason(points, f"it takes the handle of a request ({one.key.name})")]
    if is_handle:
        reasons.append(Reason(POSSIBLE, f"the answer with the calls has a field {one.key.name}"))
    if one.call_likeness >= FEWEST_CALL_FIELDS:
        reasons.append(Reason(2, "its answer has rows that look like calls"))
    elif one.content is not None:
        reasons.append(Reason(1, "its answer may be a file"))
    if one.path.has("result") or one.path.has("request"):
        reasons.append(
            Reason(1.5 if one.path.names("result", "request") else 1, "its words speak of a request's result")
        )
    if one.path.has("hash"):
        reasons.append(Reason(0.5, "and of a hash"))
    if one.path.names("other") and not is_handle:
        reasons.append(Reason(-3, "its path speaks of other things"))
    return reasons


def _same_name(one: str, other: str) -> bool:
    return re.sub(r"[\W_]", "", one).lower() == re.sub(r"[\W_]", "", other).lower()

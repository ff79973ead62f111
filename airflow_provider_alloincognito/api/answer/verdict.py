"""What a response means: token rejected, an error, the result, not ready yet. Pure functions of its head."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer.rejected_fields import rejected_fields
from airflow_provider_alloincognito.api.settings import PATH_SETTINGS, Settings
from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.errors import (
    DISCOVER,
    AlloincognitoApiError,
    AlloincognitoBadRequestError,
    AlloincognitoPathError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.scrubbing import place_of, scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.api.answer.envelope import Envelope

log = logging.getLogger(__name__)

# Zones differ by half hours, few by quarters; a response takes less than the tolerance, a clock is not off by more.
ZONE_STEP = timedelta(minutes=30)
ZONE_TOLERANCE = timedelta(minutes=3)
FIRST_ZONE, LAST_ZONE = timedelta(hours=-12), timedelta(hours=14)

OK = 200
ACCEPTED = 202
UNAUTHORIZED = 401
FORBIDDEN = 403
# What some servers say where there is no error.
NO_CODES = ("", "0", "none", "null", "false", "ok")
NO_MESSAGES = (*NO_CODES, "success", "no error", "ок", "успешно", "нет ошибок")
NO_FRACTION = re.compile(r"(?<=\d)\.0+\Z")
ZERO = re.compile(r"\A-?0+\Z")
LONGEST_CODE = 40
# What a server says to a path or a verb that it does not have.
WRONG_PATH = frozenset({301, 302, 307, 308, 404, 405, 410, 501})
# Of these, what another try cannot change; of a recording or a hash, the first two may mean that it is gone.
GONE = frozenset({404, 410})
FOR_GOOD = GONE | {301, 308, 405, 501}
# What a server says to fields that it does not have, or does not take so.
BAD_REQUEST = frozenset({400, 415, 422})
CODES = 'If the code means "token not valid" or "not ready yet", set auth_error_codes or pending_error_codes'
ALLOW = re.compile(r"[A-Z]{3,7}(, ?[A-Z]{3,7}){0,8}")


class Answer(Protocol):
    """The part of a response that is judged here and by the token logic."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, from the header ``Date``."""

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body has none."""

    @property
    def allow(self) -> str | None:
        """The header ``Allow``: the verbs that the path has."""

    @property
    def body(self) -> bytes:
        """The whole body, of a response to a token call or without a status of success; otherwise empty."""


# Tokens


def token_is_rejected(answer: Answer, settings: Settings) -> bool:
    """Return whether the response means "your token is not valid": HTTP 401, 403 or one of ``auth_error_codes``."""
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        return True
    return answer.envelope is not None and error_code(answer.envelope) in settings.auth_error_codes


def may_lack_right(answer: Answer) -> bool:
    """Return whether a rejection may also mean that the token lacks a right: 403 as status or ``errorCode``."""
    code = error_code(answer.envelope) if answer.envelope is not None else ""
    return answer.status == FORBIDDEN or (answer.status == OK and code == str(FORBIDDEN))


# Errors


def error_code(envelope: Envelope) -> str:
    """Return ``errorCode`` as the settings write one: ``17`` for 17.0; ``0`` for 0.0, ``"00"`` and false."""
    code = envelope.error_code
    text = "" if code is None else str(int(code) if isinstance(code, bool) else code).strip()
    return ZERO.sub("0", NO_FRACTION.sub("", text))


def has_error(envelope: Envelope, settings: Settings) -> bool:
    """Return whether ``error`` is more than null, absent, one of ``success_codes``, or code 0 with no real message."""
    code = error_code(envelope)
    if code in settings.success_codes:
        return False
    message = " ".join((envelope.error_message or "").rstrip(" .!").split())
    if envelope.has_other_error and envelope.error_code is None and envelope.error_message is None:
        return True
    return code.casefold() not in NO_CODES or message.casefold() not in NO_MESSAGES


def is_own_error(answer: Answer, settings: Settings) -> bool:
    """Return whether a response has the API's own error, and not a gateway's."""
    envelope = answer.envelope
    return envelope is not None and has_error(envelope, settings) and not envelope.is_bare_error


def raise_for_error(method: str, answer: Answer, settings: Settings, secrets: Iterable[str] = ()) -> None:
    """
    Raise the error that the response's head contains, if any.

    :param method: the API's method, for the error.
    :param answer: the response.
    :param settings: the Connection's; ``pending_error_codes`` are not errors.
    :param secrets: tokens to remove from the error's text.
    :raises AlloincognitoApiError: for an ``error`` in the envelope, or an HTTP status other than success.
    :raises AlloincognitoResponseError: if there is neither ``error`` nor ``result``.
    """
    envelope = answer.envelope
    if envelope is not None and error_code(envelope) in settings.pending_error_codes:
        return
    kind = _kind(method, answer.status)
    if envelope is not None and has_error(envelope, settings) and (kind.retryable or not envelope.is_bare_error):
        raise_api_error(method, envelope, settings, secrets, answer.status)
    if not 200 <= answer.status < 300:
        said = rejected_fields(answer.body, secrets) if answer.status in BAD_REQUEST else ""
        message = said or "an HTTP status without a message"
        error = kind(method, answer.status, message, remedy=_remedy(method, answer.status, settings, answer.allow))
        error.path_may_be_wrong = answer.status in GONE
        raise error
    if answer.status != ACCEPTED and (envelope is None or not envelope.has_result):
        sought = ("accessToken",) if method in ("create", "refresh") else ("rowset", "fileContent")
        places = " or ".join(map(settings.api_mapping.path_text, sought))
        raise AlloincognitoResponseError(
            f"Unexpected response: no error and no result in the response to {method}, which should be at {places}. "
            f"{_check_path(method)}, and api_mapping. {DISCOVER}"
        )


def _kind(method: str, status: int) -> type[AlloincognitoApiError]:
    """Return the class of the error that a status is, without the API's own error."""
    by_id = method in ("getcallrecordfile", "getrequestresultbyhash")
    if status in FOR_GOOD - (GONE if by_id else set()):
        return AlloincognitoPathError
    return AlloincognitoBadRequestError if status in BAD_REQUEST else AlloincognitoApiError


def raise_api_error(
    method: str, envelope: Envelope, settings: Settings, secrets: Iterable[str] = (), status: int = OK
) -> None:
    """Raise the ``error`` of an envelope, scrubbed."""
    code = envelope.error_code
    shown = scrub(str(code), secrets)[:LONGEST_CODE]
    raise AlloincognitoApiError(
        method,
        code if shown == str(code) or code is None else shown,
        scrub(envelope.error_message or "", secrets),
        envelope.request_hash,
        _remedy_of_code(method, status, settings),
    )


def _remedy(method: str, status: int, settings: Settings, allow: str | None = None) -> str:
    """Return what was requested, and which of the Connection's settings may be wrong if a response is an error."""
    requested = _requested(method, settings, allow)
    if status in WRONG_PATH:
        expired = ", and that the hash is known and has not expired" if method == "getrequestresultbyhash" else ""
        return f"{requested}{_check_path(method)}{expired}. Another verb is a matter of api_mapping. {DISCOVER}"
    if status in BAD_REQUEST:
        names = "numbers_field and api_mapping" if method == "getcalllist" else "api_mapping"
        return (
            f"{requested}Check that {names} in the Connection have the names and values of the "
            f"method's fields on the server's /docs page, and that {_path_setting(method)} is its path. {DISCOVER}"
        )
    fields = "; check numbers_field" if method == "getcalllist" else ""
    return f"{CODES}{fields}."


def _remedy_of_code(method: str, status: int, settings: Settings) -> str:
    """As :func:`_remedy`, for the API's own error: whatever its status is, its code may mean something else."""
    remedy = _remedy(method, status, settings)
    return f"{CODES}. {remedy}" if status in BAD_REQUEST else remedy


def _requested(method: str, settings: Settings, allow: str | None) -> str:
    if method not in PATH_SETTINGS:
        return ""
    verb = settings.api_mapping.request(method).verb
    allowed = f", where the server allows {allow}" if allow and ALLOW.fullmatch(allow) else ""
    return f"The request was {verb} {methods.endpoint(settings, method)}{allowed}. "


def _check_path(method: str) -> str:
    return f"Check that {_path_setting(method)} in the Connection is the method's path on the server's /docs page"


def _path_setting(method: str) -> str:
    return PATH_SETTINGS.get(method, "the path")


# The zone


def warn_of_another_zone(answer: Answer, settings: Settings) -> None:
    """
    Compare ``callTime`` with the header ``Date``: if it is the time of the request, it tells the zone of the API.

    Only a warning, since the two may be in different zones.

    :param answer: a response to a request that was sent just now.
    :param settings: the Connection's.
    """
    called_at = parse_api_time(answer.envelope.call_time, settings.zone) if answer.envelope is not None else None
    if called_at is None or answer.server_time is None:
        return
    if abs(called_at - answer.server_time) < ZONE_STEP / 2:
        return
    ahead = called_at.astimezone(settings.zone).replace(tzinfo=UTC) - answer.server_time
    offset = round(ahead / ZONE_STEP) * ZONE_STEP
    if abs(ahead - offset) > ZONE_TOLERANCE or not FIRST_ZONE <= offset <= LAST_ZONE:
        return  # not the time of this request
    log.warning(
        "The server's clock shows %s, but its times are taken to be in %s. If calls land with wrong times, or a "
        "period begins at the wrong hour, set timezone in the Connection",
        timezone(offset),
        settings.zone.key,
    )


# Readiness


def is_ready(answer: Answer, settings: Settings, ready_check: str | None = None) -> bool:
    """
    Return whether the response contains the result. Sensor, trigger and operators all decide it here.

    :param answer: a response that is not an error.
    :param settings: the Connection's.
    :param ready_check: dotted path of a function that takes the response's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns whether the result is ready.
        By default the status and the settings decide (assumed: the API's text does not describe "not ready yet").
    """
    envelope = answer.envelope
    if envelope is None:
        return answer.status != ACCEPTED
    if ready_check is not None:
        return _ask(ready_check, envelope)
    if answer.status == ACCEPTED or error_code(envelope) in settings.pending_error_codes:
        return False
    if has_error(envelope, settings) or not envelope.has_result:
        return True
    if envelope.rowset == "null":
        return settings.null_rowset == "empty"
    return envelope.rowset == "array" or envelope.file_content == "string"


def _ask(path: str, envelope: Envelope) -> bool:
    function = _import_function(path)
    try:
        return bool(function(envelope))
    except Exception as error:  # noqa: BLE001 - the user's code, and the text may quote the response
        raise AlloincognitoSettingsError(
            f"ready_check is {path!r}, which raised {type(error).__name__} ({place_of(error)}). Mend the function: it "
            "must return True or False for any response's Envelope, whose attributes are None where there is nothing."
        ) from None


def _import_function(path: str) -> Callable[[Envelope], object]:
    try:
        found = resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise AlloincognitoSettingsError(
            f"ready_check is {path!r}, which cannot be imported here ({type(error).__name__}). Set it to the dotted "
            "path of a function that the workers and the triggerer can import, such as 'my_package.checks.is_ready'."
        ) from None
    if not callable(found):
        raise AlloincognitoSettingsError(
            f"ready_check is {path!r}, which is not a function. Set it to the dotted path of a function."
        )
    return found  # type: ignore[no-any-return]

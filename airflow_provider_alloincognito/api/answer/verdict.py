"""What an answer means: accepted, rejected, an error, not ready yet. Pure functions over its head."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pkgutil import resolve_name
from typing import Protocol

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoResponseError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.scrubbing import scrub

OK = 200
UNAUTHORIZED = 401
FORBIDDEN = 403
ACCEPTED = 202
NO_ERROR_CODES = ("None", "0", "")


class Answer(Protocol):
    """What the token logic looks at in an answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, from the header ``Date``."""

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body is none."""

    @property
    def body(self) -> bytes:
        """The whole body; only of an answer to a token call, or of one that is no success."""


def token_is_rejected(answer: Answer, settings: Settings) -> bool:
    """Whether the answer says "your token is not valid": HTTP 401 or 403, or a configured ``errorCode``."""
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        return True
    return answer.envelope is not None and str(answer.envelope.error_code) in settings.auth_error_codes


def may_lack_right(answer: Answer) -> bool:
    """Whether the rejection may also mean that the token lacks a right: 403, as a status or as ``errorCode``."""
    code = answer.envelope.error_code if answer.envelope is not None else None
    return answer.status == FORBIDDEN or (answer.status == OK and str(code) == str(FORBIDDEN))


def is_pending(answer: Answer, settings: Settings) -> bool:
    """Whether the answer says "not ready yet" (assumed: the API's text knows no such answer)."""
    envelope = answer.envelope
    if answer.status == ACCEPTED:
        return True
    if envelope is None:
        return False
    if str(envelope.error_code) in settings.pending_error_codes:
        return True
    if has_error(envelope) or not envelope.has_result:
        return False
    if envelope.rowset == "null":
        return settings.null_rowset == "pending"
    return envelope.rowset == "absent" and envelope.file_content in ("absent", "null")


def has_error(envelope: Envelope) -> bool:
    """Whether ``error`` is more than null, absent, or a code 0 without a message."""
    return str(envelope.error_code) not in NO_ERROR_CODES or bool(envelope.error_message)


def raise_for_error(method: str, answer: Answer, settings: Settings, secrets: Iterable[str] = ()) -> None:
    """
    Raise what the answer's head calls for; return if it is a good one.

    :raises AlloincognitoApiError: for an ``error`` in the envelope, or an HTTP status that is no success.
    :raises AlloincognitoResponseError: if there is neither ``error`` nor ``result``.
    """
    envelope = answer.envelope
    if envelope is not None and str(envelope.error_code) in settings.pending_error_codes:
        return
    if envelope is not None and has_error(envelope):
        raise_api_error(method, envelope, secrets)
    if not 200 <= answer.status < 300:
        raise AlloincognitoApiError(method, answer.status, f"HTTP status {answer.status}")
    if answer.status != ACCEPTED and (envelope is None or not envelope.has_result):
        raise AlloincognitoResponseError(
            f"The answer to {method} has neither error nor result, so it is not what the API promises. "
            "Is the method's path in the Connection what the server's /docs page says?"
        )


def raise_api_error(method: str, envelope: Envelope, secrets: Iterable[str] = ()) -> None:
    """Raise the envelope's own error."""
    code = envelope.error_code
    raise AlloincognitoApiError(
        method,
        scrub(code, secrets) if isinstance(code, str) else code,
        scrub(envelope.error_message or "", secrets),
        envelope.request_hash,
    )


def is_ready(answer: Answer, settings: Settings, ready_check: str | None = None) -> bool:
    """
    Whether the answer holds the result: the one place where the sensor, the trigger and the operators decide it.

    :param answer: one that is not an error.
    :param settings: the Connection's.
    :param ready_check: dotted path of a function that takes the answer's
        :class:`~airflow_provider_alloincognito.api.answer.envelope.Envelope` and returns a bool, used instead of
        :func:`is_pending`.
    """
    if ready_check is None or answer.envelope is None:
        return not is_pending(answer, settings)
    return bool(_function(ready_check)(answer.envelope))


def _function(path: str) -> Callable[[Envelope], object]:
    try:
        found = resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise AlloincognitoSettingsError(
            f"ready_check is {path!r}, which cannot be imported here ({type(error).__name__}). Give the dotted path of "
            "a function that the workers and the triggerer can import, such as 'my_package.checks.is_ready'."
        ) from None
    if not callable(found):
        raise AlloincognitoSettingsError(f"ready_check is {path!r}, which is not a function. Give a function's path.")
    return found  # type: ignore[no-any-return]

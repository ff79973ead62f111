"""What an answer means: accepted, rejected, an error, not ready yet. Pure functions over its head."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_alloincognito.api.envelope import Envelope
from airflow_provider_alloincognito.api.errors import AlloincognitoApiError, AlloincognitoResponseError
from airflow_provider_alloincognito.api.scrubbing import scrub
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.steps import Answer

OK = 200
UNAUTHORIZED = 401
FORBIDDEN = 403
ACCEPTED = 202
NO_ERROR_CODES = ("None", "0", "")


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
            "Is the method's path in the Connection what the stand's /docs page says?"
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

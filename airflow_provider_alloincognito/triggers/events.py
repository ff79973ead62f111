"""What a trigger tells its task: small, typed, without personal data, and believed only after a check."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from airflow_provider_alloincognito.api.errors import (
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoQueryError,
    AlloincognitoResponseError,
    AlloincognitoWaitTimeout,
)
from airflow_provider_alloincognito.api.settings import AlloincognitoSettingsError

FINAL_ERRORS = {
    error.__name__: error for error in (AlloincognitoAuthError, AlloincognitoQueryError, AlloincognitoSettingsError)
}


Status = Literal["ready", "timeout", "error"]


class ResultEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How the wait for a result ended.

    :param status: ``ready``, ``timeout`` or ``error``.
    :param request_hash: the result's.
    :param asked: the hashes that the trigger was handed.
    :param error: the error's class.
    :param message: the error's text, scrubbed.
    """

    status: Status
    request_hash: str
    asked: list[str | None] = []
    error: str | None = None
    message: str | None = None

    def payload(self) -> dict[str, Any]:
        """What goes over the wire."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


def ready_event(event: Any) -> ResultEvent:
    """
    Give an event that says that a result is ready.

    :raises AlloincognitoWaitTimeout: if the wait ended without it.
    :raises AlloincognitoError: the error that the trigger met, as its own class where a task must not be retried.
    :raises AlloincognitoResponseError: if the event is none of ours.
    """
    try:
        known = msgspec.convert(event, ResultEvent)
    except msgspec.ValidationError:
        raise AlloincognitoResponseError("The trigger's event is not one that this provider sends.") from None
    if known.status == "ready":
        return known
    if known.status == "timeout":
        raise AlloincognitoWaitTimeout(
            f"The result of request {known.request_hash} was not ready in time. Give it more time, or ask anew."
        )
    raise FINAL_ERRORS.get(known.error or "", AlloincognitoError)(known.message or "The trigger met an error.")

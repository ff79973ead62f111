"""Whether a result is ready: by the settings, or by a check of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name

from airflow_provider_alloincognito.api.answer_head import AnswerHead
from airflow_provider_alloincognito.api.envelope import Envelope
from airflow_provider_alloincognito.api.settings import AlloincognitoSettingsError


def is_ready(head: AnswerHead, ready_check: str | None = None) -> bool:
    """
    Whether the answer holds the result.

    :param head: of an answer that is no error.
    :param ready_check: dotted path of a function from :class:`~airflow_provider_alloincognito.api.envelope.Envelope`
        to a bool; the usual judgement by default.
    """
    if ready_check is None or head.envelope is None:
        return not head.is_pending
    return bool(_function(ready_check)(head.envelope))


def _function(path: str) -> Callable[[Envelope], object]:
    try:
        found = resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise AlloincognitoSettingsError(
            f"ready_check is {path!r}, which cannot be imported here ({type(error).__name__}). Give the dotted path of "
            "a function that the workers and the triggerer can import, such as 'my_package.checks.is_ready'."
        ) from None
    if not callable(found):
        raise AlloincognitoSettingsError(f"ready_check is {path!r}, which is no function.")
    return found  # type: ignore[no-any-return]

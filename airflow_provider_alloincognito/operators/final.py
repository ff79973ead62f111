"""Errors that no Airflow retry can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_alloincognito.api.errors import (
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoFieldError,
    AlloincognitoQueryError,
)
from airflow_provider_alloincognito.api.settings import AlloincognitoSettingsError
from airflow_provider_alloincognito.landing.errors import AlloincognitoFormatError, AlloincognitoSchemaError


class FinalAuthError(AlloincognitoAuthError, AirflowFailException):
    """A token is not accepted: Airflow does not retry the task."""


class FinalQueryError(AlloincognitoQueryError, AirflowFailException):
    """A query cannot be meant: Airflow does not retry the task."""


class FinalFieldError(AlloincognitoFieldError, AirflowFailException):
    """Rows do not have a field that was named: Airflow does not retry the task."""


class FinalSettingsError(AlloincognitoSettingsError, AirflowFailException):
    """A Connection's setting cannot be used: Airflow does not retry the task."""


class FinalFormatError(AlloincognitoFormatError, AirflowFailException):
    """A file's format cannot be meant: Airflow does not retry the task."""


class FinalSchemaError(AlloincognitoSchemaError, AirflowFailException):
    """A schema cannot be meant: Airflow does not retry the task."""


_FINAL: dict[type[AlloincognitoError], type[AlloincognitoError]] = {
    AlloincognitoAuthError: FinalAuthError,
    AlloincognitoQueryError: FinalQueryError,
    AlloincognitoFieldError: FinalFieldError,
    AlloincognitoSettingsError: FinalSettingsError,
    AlloincognitoFormatError: FinalFormatError,
    AlloincognitoSchemaError: FinalSchemaError,
}


@contextmanager
def final_errors() -> Iterator[None]:
    """Tell Airflow not to retry what cannot get better by itself."""
    try:
        yield
    except tuple(_FINAL) as error:
        final = next(final for kind, final in _FINAL.items() if isinstance(error, kind))
        raise final(*error.args) from error

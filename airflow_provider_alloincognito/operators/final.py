"""Errors that no Airflow retry can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_alloincognito.api.errors import (
    AlloincognitoAuthError,
    AlloincognitoFieldError,
    AlloincognitoQueryError,
)
from airflow_provider_alloincognito.api.settings import AlloincognitoSettingsError


class FinalAuthError(AlloincognitoAuthError, AirflowFailException):
    """A token is not accepted: Airflow does not retry the task."""


class FinalQueryError(AlloincognitoQueryError, AirflowFailException):
    """A query cannot be meant: Airflow does not retry the task."""


class FinalFieldError(AlloincognitoFieldError, AirflowFailException):
    """Rows do not have a field that was named: Airflow does not retry the task."""


class FinalSettingsError(AlloincognitoSettingsError, AirflowFailException):
    """A Connection's setting cannot be used: Airflow does not retry the task."""


@contextmanager
def final_errors() -> Iterator[None]:
    """Tell Airflow not to retry what cannot get better by itself."""
    try:
        yield
    except AlloincognitoAuthError as error:
        raise FinalAuthError(*error.args) from error
    except AlloincognitoQueryError as error:
        raise FinalQueryError(*error.args) from error
    except AlloincognitoFieldError as error:
        raise FinalFieldError(*error.args) from error
    except AlloincognitoSettingsError as error:
        raise FinalSettingsError(*error.args) from error

"""Which errors Airflow does not retry a task after."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_alloincognito.compat import AirflowFailException
from airflow_provider_alloincognito.errors import AlloincognitoError, rebuild
from airflow_provider_alloincognito.scrubbing import without_locals


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """Have Airflow fail the task at once where an error says that another try cannot help."""
    try:
        with without_locals():
            yield
    except AlloincognitoError as error:
        if error.retryable or isinstance(error, AirflowFailException):
            raise
        kind = _not_retried(type(error))  # type: ignore[arg-type]  # mypy takes a class for unhashable
        failed = rebuild(kind, error.args, error.__dict__)
        raise failed.with_traceback(error.__traceback__) from None


@functools.cache
def _not_retried(kind: type[AlloincognitoError]) -> type[AlloincognitoError]:
    """The same class for an ``except``, and one that Airflow does not retry: errors.py does not import Airflow."""
    return type(kind.__name__, (kind, AirflowFailException), {"__module__": kind.__module__})

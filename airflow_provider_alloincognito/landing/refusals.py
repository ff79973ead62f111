"""What a store says when it does not do its part, told so that a user knows where to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_alloincognito.landing.errors import AlloincognitoLandingError, AlloincognitoTargetError


@contextmanager
def refusals_explained(key: str, does: str = "take", *but: type[Exception]) -> Iterator[None]:
    """
    Say that a store does not take a file, or whatever it was to do with it, in the store's own words.

    :param but: errors that the caller knows better.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (AlloincognitoLandingError, *but)):
            raise
        said = str(error).partition("\n")[0][:300]
        raise AlloincognitoTargetError(
            f"The store does not {does} {key} ({type(error).__name__}: {said}). Usual causes: it cannot be reached, "
            "the path's Airflow connection holds other credentials or another endpoint, they lack the right, "
            "or the bucket does not exist"
        ) from error

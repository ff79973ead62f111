"""What a store or a file system says when it does not do its part, told so that a user knows where to look."""

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
    except Exception as error:  # each store's library has errors of its own
        if isinstance(error, (AlloincognitoLandingError, *but)):
            raise
        said = str(error).partition("\n")[0][:300]
        raise AlloincognitoTargetError(
            f"The store does not {does} {key} ({type(error).__name__}: {said}). Usual causes: it cannot be reached, "
            "the path's Airflow connection holds other credentials or another endpoint, they lack the right, "
            "or the bucket does not exist"
        ) from error


@contextmanager
def local_refusals_explained(path: str, does: str = "write", *but: type[OSError]) -> Iterator[None]:
    """
    Say which file cannot be written, or whatever was to be done with it, and why.

    :param but: errors that the caller knows better.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, (AlloincognitoTargetError, *but)):
            raise
        raise local_refusal(path, does, error) from error


def local_refusal(path: str, does: str, error: OSError) -> AlloincognitoTargetError:
    """Make the error for what a file system refused."""
    return AlloincognitoTargetError(f"Cannot {does} {path}: {error.strerror}")

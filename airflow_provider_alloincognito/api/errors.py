"""What can go wrong with the API, said so that a user knows what it means and what to do.

No error holds a token, a phone number, a file name or a body: texts of the server are scrubbed
before they come in here.
"""

from __future__ import annotations


class AlloincognitoError(Exception):
    """Base of everything that this package raises on its own account."""


class AlloincognitoQueryError(AlloincognitoError, ValueError):
    """A query that cannot be meant; raised before anything is sent."""


class AlloincognitoAuthError(AlloincognitoError):
    """A token is not accepted, and no new pair can change that. A task meets it as final: no Airflow retries."""


class AlloincognitoRotationError(AlloincognitoError):
    """The pair was replaced again and again, or could not be replaced in time. Another try may succeed."""


class AlloincognitoStoreError(AlloincognitoError):
    """The store of the token pair cannot be read or written, or something else stands in its place."""


class AlloincognitoShadowedStoreError(AlloincognitoStoreError):
    """Something else is read under the token store's key than what was written there."""


class AlloincognitoConnectionError(AlloincognitoError):
    """
    The stand could not be reached, or went on answering that it is busy, until the retries were used up.

    :param retry_after: seconds that the stand asks to wait.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AlloincognitoBusyError(AlloincognitoConnectionError):
    """The stand asks to be left alone for longer than is waited within a task; Airflow's retry may come after that."""


class AlloincognitoResponseError(AlloincognitoError):
    """An answer that is not what the API promises: no JSON, no ``result``, cut half-way."""


class AlloincognitoCutOffError(AlloincognitoResponseError):
    """The connection broke in the middle of an answer; another try may get all of it."""


class AlloincognitoFieldError(AlloincognitoResponseError):
    """Rows do not have a field that was named. Another name is needed, not another try."""


class AlloincognitoWaitTimeout(AlloincognitoError):
    """A result was not ready in time."""


class AlloincognitoApiError(AlloincognitoError):
    """
    The API's own error.

    :param method: the API's method, such as ``getcalllist``.
    :param code: ``errorCode`` as it came, or the HTTP status where no envelope came with it.
    :param message: ``errorMessage``, scrubbed.
    :param request_hash: the answer's ``requestHash``, if there was one.
    """

    def __init__(
        self, method: str, code: int | float | str | None, message: str, request_hash: str | None = None
    ) -> None:
        self.method = method
        self.code = code
        self.message = message
        self.request_hash = request_hash
        super().__init__(method, code, message, request_hash)

    def __str__(self) -> str:
        said = f": {self.message}" if self.message else " without a message"
        handle = f" (requestHash {self.request_hash})" if self.request_hash else ""
        return f"AlloIncognito's {self.method} answered with error {self.code}{said}{handle}"


class AlloincognitoMissingExtraError(AlloincognitoError, ImportError):
    """
    An optional dependency is not installed.

    :param feature: what the user asked for.
    :param extra: the extra of this package that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency that is not installed here. "
            f"Install it with: pip install 'airflow-provider-alloincognito[{extra}]'"
        )

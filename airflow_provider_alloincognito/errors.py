"""
Every error that this package raises.

- AlloincognitoError
  - AlloincognitoSettingsError *                 a setting of the Connection is invalid
    - AlloincognitoSecretsBackendError           or Airflow's secrets backend could not be asked for it
  - AlloincognitoQueryError *                    an argument of a query is invalid
  - AlloincognitoDocumentError *                 no document that describes the API could be read
  - AlloincognitoMissingExtraError *             an optional dependency is not installed
  - AlloincognitoSetupError *                    a command could not write the Connection or the DAG file
  - AlloincognitoAuthError *                     the authorization token is not accepted
  - AlloincognitoNoPairError *                   no valid token pair is stored, and none may be made here
  - AlloincognitoTokenStoreError +               the token store cannot be read or written
    - AlloincognitoShadowedTokenStoreError +     something else hides its entries
  - AlloincognitoWatermarkError                  what is stored of a watcher was written by something else
    - AlloincognitoWatermarkStoreError +         it cannot be read or written
  - AlloincognitoRotationError +                 no valid token pair in time
  - AlloincognitoConnectionError +               no response, or "busy", until the retries were used up
    - AlloincognitoBusyError +                   the server asks for a longer pause than a task waits
    - AlloincognitoSlowError +                   no whole response in time
    - AlloincognitoNetworkSetupError             its certificate is not trusted, or the proxy refuses
  - AlloincognitoApiError                        the API's own error
    - AlloincognitoPathError *                   the server does not have the method's path
    - AlloincognitoBadRequestError *             the server does not accept the request's fields
  - AlloincognitoResponseError                   a response that the API's description does not allow
    - AlloincognitoTruncatedError +              the connection broke in the middle of a response
    - AlloincognitoFieldError *                  the rows lack a field that was named, or have one that is to be added
  - AlloincognitoWaitTimeout                     a result was not ready in time
  - AlloincognitoStoppedError                    the task was stopped
  - AlloincognitoLandingError
    - AlloincognitoFormatError *                 an unknown or contradictory file format
    - AlloincognitoSchemaError *                 an invalid schema
    - AlloincognitoTooFewRowsError               fewer rows than ``min_rows``
    - AlloincognitoValueError *                  a value that does not fit its column's type
    - AlloincognitoUnknownFieldError *           a field that the schema does not name
    - AlloincognitoTargetError                   the file's place cannot be read or written
      - AlloincognitoTargetSetupError *          its store needs a library or an Airflow connection that is missing
    - AlloincognitoRecordingError                a recording that cannot become a file
    - AlloincognitoRecordingsFailedError         some of many recordings could not be fetched

Marked *: not ``retryable``. Another try cannot help; operators and the sensor tell Airflow not to retry the task.
Marked +: ``transient``. It goes away by itself, so a deferred wait goes on despite it, until its deadline.

A text says what happened, what it means and what to do, and ends with a full stop. No error holds a token, a phone
number, a recording's ``file_NAME`` or a response's body: the server's texts are scrubbed before they become part of
an error.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from airflow_provider_alloincognito.extras import how_to_install
from airflow_provider_alloincognito.scrubbing import scrub, scrub_hash

DISCOVER = (
    "`airflow alloincognito discover` (Airflow 2: `python -m airflow_provider_alloincognito discover`) reads the right "
    "values from the server's documentation."
)
"""What errors say where a setting that the server's documentation tells may be wrong."""
SAMPLE = (
    "`airflow alloincognito discover` and `airflow alloincognito sample` (Airflow 2: `python -m "
    "airflow_provider_alloincognito` with the same words) tell which field is which."
)
"""What errors say where a row's field may have another name."""


class AlloincognitoError(Exception):
    """Base of all errors of this package."""

    retryable: ClassVar[bool] = True
    """Whether another try of the task may succeed."""
    transient: ClassVar[bool] = False
    """Whether it passes without anybody's help, so that a wait goes on."""

    def __reduce__(self) -> Any:
        """Pickle as the first importable class, with all attributes, whatever the constructor takes."""
        return rebuild, (next(filter(_is_importable, type(self).__mro__)), self.args, self.__dict__)


def error_named(name: str | None, message: str) -> AlloincognitoError:
    """
    Rebuild an error from what a trigger's event says of it.

    :param name: the name of its class; the base class if it is unknown.
    :param message: its text.
    """
    kind: Any = globals().get(name or "")
    is_error = isinstance(kind, type) and issubclass(kind, AlloincognitoError)
    return rebuild(kind if is_error else AlloincognitoError, (message,), {})


def rebuild(kind: type[AlloincognitoError], args: tuple[Any, ...], attributes: dict[str, Any]) -> AlloincognitoError:
    """Make an error without its constructor, whose arguments are not kept."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


def _is_importable(kind: type) -> bool:
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


class AlloincognitoSettingsError(AlloincognitoError, ValueError):
    """A setting of the Connection is invalid."""

    retryable = False


class AlloincognitoSecretsBackendError(AlloincognitoSettingsError):
    """There is no such Connection, or Airflow could not ask its secrets backend for it: it reports both alike."""

    retryable = True


class AlloincognitoQueryError(AlloincognitoError, ValueError):
    """An argument of a query is invalid; raised before anything is sent."""

    retryable = False


class AlloincognitoDocumentError(AlloincognitoError):
    """No document that describes the API could be found or read."""

    retryable = False


class AlloincognitoMissingExtraError(AlloincognitoError, ImportError):
    """
    An optional dependency is not installed.

    :param feature: what the user asked for.
    :param extra: the extra of this package that installs it.
    """

    retryable = False

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency that is not installed here. {how_to_install(extra)}")


class AlloincognitoSetupError(AlloincognitoError):
    """A command could not write the Connection or the DAG file; raised before anything is changed."""

    retryable = False


class AlloincognitoAuthError(AlloincognitoError):
    """A token is not accepted, and a new pair cannot change that."""

    retryable = False


class AlloincognitoNoPairError(AlloincognitoError):
    """
    No valid token pair is stored. None was made, since that would invalidate the one that running tasks may use.

    :param found: what there is, as a sentence.
    """

    retryable = False

    def __init__(self, found: str) -> None:
        super().__init__(
            f"{found} Run a task that uses the Connection: it makes a pair and stores it for all. Or let this command "
            "make one with --make-pair, if none of your tasks is running."
        )


class AlloincognitoTokenStoreError(AlloincognitoError):
    """The store of the token pair cannot be read or written."""

    transient = True


class AlloincognitoShadowedTokenStoreError(AlloincognitoTokenStoreError):
    """The token store gives back something else than what was written to it."""


class AlloincognitoWatermarkError(AlloincognitoError):
    """What is stored in place of a watcher's watermark is something else."""


class AlloincognitoWatermarkStoreError(AlloincognitoWatermarkError):
    """The store of a watcher's watermark cannot be read or written."""

    transient = True


class AlloincognitoRotationError(AlloincognitoError):
    """The token pair was replaced again and again, or could not be replaced in time."""

    transient = True


class AlloincognitoConnectionError(AlloincognitoError):
    """
    The server did not respond, or a gateway's error came in its place, until the retries were used up.

    :param retry_after: seconds that the server asks to wait.
    :param status: the HTTP status, if there was a response.
    """

    transient = True
    retry_after: float | None = None
    status: int | None = None
    errno: int | None = None
    """The operating system's number of what went wrong, such as ``errno.EMFILE``, if it is known."""

    def __init__(self, message: str, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class AlloincognitoBusyError(AlloincognitoConnectionError):
    """The server asks for a longer pause than a task waits; Airflow's retry may come after it."""


class AlloincognitoSlowError(AlloincognitoConnectionError):
    """No whole response came in the time that one may take, or that was left before a deadline."""


class AlloincognitoNetworkSetupError(AlloincognitoConnectionError):
    """The server's certificate is not trusted, or the proxy refuses: somebody must change the set-up first."""

    transient = False


class AlloincognitoApiError(AlloincognitoError):
    """
    The API's own error.

    :param method: the API's method, such as ``getcalllist``.
    :param code: ``errorCode``, scrubbed, or the HTTP status where no envelope came with it.
    :param message: ``errorMessage``, scrubbed.
    :param request_hash: the response's ``requestHash``, if there was one.
    :param remedy: what to do, as a sentence or two.
    """

    method: str | None = None
    code: int | float | str | None = None
    message: str = ""
    request_hash: str | None = None
    path_may_be_wrong = False
    """Whether the status is all that the server said, and may be about the path as well as about an id."""

    def __init__(
        self,
        method: str,
        code: int | float | str | None,
        message: str,
        request_hash: str | None = None,
        remedy: str = "",
    ) -> None:
        self.method = method
        self.code = code
        self.message = message
        self.request_hash = request_hash
        what = "an error without a code" if code is None else f"error {code}"
        why = f": {message.rstrip('.')}" if message else " without a message"
        handle = f" (requestHash {scrub_hash(request_hash)})" if request_hash else ""
        super().__init__(f"AlloIncognito's {method} responded with {what}{why}{handle}. {remedy}".rstrip())


class AlloincognitoPathError(AlloincognitoApiError):
    """The server does not have the method's path, or not with this verb. It needs another path, not another try."""

    retryable = False


class AlloincognitoBadRequestError(AlloincognitoApiError):
    """The server does not accept the request's fields (HTTP 400, 415, 422). It needs other names, not another try."""

    retryable = False


class AlloincognitoResponseError(AlloincognitoError):
    """A response that the API's description does not allow: no JSON, no ``result``, truncated."""


class AlloincognitoTruncatedError(AlloincognitoResponseError):
    """The connection broke in the middle of a response; another request may get all of it."""

    transient = True
    retries_used_up = False
    """Whether it has been requested again already, as often as ``retries`` says."""


class AlloincognitoFieldError(AlloincognitoResponseError):
    """The rows lack a field that was named, or have the one that is to be added: another name is needed, not a try."""

    retryable = False


class AlloincognitoWaitTimeout(AlloincognitoError):
    """A result was not ready in time."""


class AlloincognitoStoppedError(AlloincognitoError):
    """The task was stopped (SIGTERM, a time-out, an error that ends its run): nothing more is requested."""


class AlloincognitoLandingError(AlloincognitoError):
    """Something could not be landed; what was at the target before is untouched."""


class AlloincognitoFormatError(AlloincognitoLandingError, ValueError):
    """A file format that is unknown, or contradicts the file's suffix."""

    retryable = False


class AlloincognitoSchemaError(AlloincognitoLandingError, ValueError):
    """The ``schema`` argument is invalid."""

    retryable = False


class AlloincognitoTooFewRowsError(AlloincognitoLandingError):
    """The response has fewer rows than ``min_rows`` asks for."""

    def __init__(self, rows: int, min_rows: int, target: str) -> None:
        super().__init__(
            f"The response has {rows} rows, but min_rows asks for at least {min_rows}. {target} was left unchanged."
        )


class AlloincognitoValueError(AlloincognitoLandingError, ValueError):
    """
    A value does not fit the type that the schema gives to its column.

    :param column: the column's name.
    :param type_name: the column's type.
    :param row: the row's number in the response, from 1.
    """

    retryable = False
    column: str | None = None
    row: int | None = None

    def __init__(self, column: str, type_name: str, row: int) -> None:
        self.column = column
        self.row = row
        super().__init__(
            f"Row {row}: the value of column {column!r} is not a valid {type_name}. Give the column another type in "
            "the schema, such as 'string'."
        )


class AlloincognitoUnknownFieldError(AlloincognitoLandingError):
    """
    A row has a field that the schema does not name, and ``unknown_fields`` is ``refuse``.

    :param field: the field's name.
    :param row: the row's number in the response, from 1.
    """

    retryable = False
    field: str | None = None
    row: int | None = None

    def __init__(self, field: str, row: int) -> None:
        self.field = field
        self.row = row
        super().__init__(
            f"Row {row} has the field {scrub(repr(field))}, which the schema does not name. Name it in the schema, or "
            "keep such fields as text columns with unknown_fields='keep', or leave them out with unknown_fields='drop'."
        )


class AlloincognitoTargetError(AlloincognitoLandingError, OSError):
    """The file's place cannot be read or written: no permission, no bucket, no space, no connection."""


class AlloincognitoTargetSetupError(AlloincognitoTargetError):
    """The store of a path cannot be used here: its file system's library or the Airflow connection is missing."""

    retryable = False


class AlloincognitoRecordingError(AlloincognitoLandingError):
    """A recording that cannot become a file: its id is not a safe file name, or it has no bytes."""


class AlloincognitoRecordingsFailedError(AlloincognitoLandingError):
    """Some recordings could not be fetched. The manifest says which, and why."""

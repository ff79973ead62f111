"""What can go wrong on the way to a file. None of these texts holds a value of a row or a file name of the API."""

from __future__ import annotations

from airflow_provider_alloincognito.api.errors import AlloincognitoError
from airflow_provider_alloincognito.api.scrubbing import scrub


class AlloincognitoLandingError(AlloincognitoError):
    """Something could not be landed; what stood at the target before is untouched."""


class AlloincognitoFormatError(AlloincognitoLandingError, ValueError):
    """A file format that is not known, or does not go with the file's suffix."""


class AlloincognitoSchemaError(AlloincognitoLandingError, ValueError):
    """The ``schema`` argument cannot be meant."""


class AlloincognitoTooFewRowsError(AlloincognitoLandingError):
    """The answer has fewer rows than ``min_rows`` asks for."""

    def __init__(self, rows: int, min_rows: int, target: str) -> None:
        super().__init__(
            f"The answer has {rows} rows, min_rows asks for {min_rows} or more: {target} was left as it was"
        )


class AlloincognitoValueError(AlloincognitoLandingError, ValueError):
    """
    A value does not fit the type that the schema gives to its column.

    :param row: the row's number in the answer, from 1.
    """

    def __init__(self, column: str, type_name: str, row: int) -> None:
        self.column = column
        self.row = row
        super().__init__(f"Row {row}: the value of column {column!r} is no {type_name}")


class AlloincognitoUnknownFieldError(AlloincognitoLandingError):
    """A row has a field that the schema does not name, and ``unknown_fields`` is ``refuse``."""

    def __init__(self, field: str, row: int) -> None:
        self.field = field
        self.row = row
        super().__init__(
            f"Row {row} has the field {scrub(repr(field))}, which the schema does not name. "
            "Name it in the schema, or keep such fields as text columns with unknown_fields='keep'"
        )


class AlloincognitoTargetError(AlloincognitoLandingError, OSError):
    """The place of the file does not take it: no permission, no bucket, no space, no connection."""


class AlloincognitoRecordingError(AlloincognitoLandingError):
    """A recording that cannot be a file: an id that is no safe file name, or a recording without a byte."""

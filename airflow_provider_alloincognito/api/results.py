"""What the three methods give, typed: calls, a recording, or whichever of them a hash stands for."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from airflow_provider_alloincognito.api.client import StreamedAnswer
from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError
from airflow_provider_alloincognito.api.readiness import is_ready
from airflow_provider_alloincognito.api.row_filter import RowFilter
from airflow_provider_alloincognito.api.rows import RowBatch


class Result:
    """
    An answer that may be consumed once. Leaving the ``with`` early closes its connection.

    :param answer: with an envelope that has been judged.
    """

    def __init__(self, answer: StreamedAnswer) -> None:
        self._answer = answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, whether all of the answer has been read or not."""
        self._answer.close()

    @property
    def request_hash(self) -> str | None:
        """The handle on this request's result. It may follow the rows: sure to be known only at their end."""
        envelope = self._answer.envelope
        return envelope.request_hash if envelope is not None else None

    @property
    def is_pending(self) -> bool:
        """Whether the answer holds no result yet; ask again by its ``request_hash``."""
        return self._answer.is_pending

    def is_ready(self, ready_check: str | None = None) -> bool:
        """Whether the answer holds the result, by a check of the user's own if there is one."""
        return is_ready(self._answer, ready_check)

    def _require_ready(self) -> None:
        if self.is_pending:
            raise AlloincognitoResponseError(
                f"The result is not ready yet. Ask again for it by its requestHash ({self.request_hash}), with "
                "get_request_result, until is_pending is false."
            )

    @property
    def is_recording(self) -> bool:
        """Whether the answer is a recording; otherwise it is a call list."""
        envelope = self._answer.envelope
        return envelope is not None and envelope.file_content == "string"


class CallList(Result):
    """
    Rows in the server's order.

    :param answer: with an envelope that has been judged.
    :param keep: which rows belong to the period; None for all.
    """

    def __init__(self, answer: StreamedAnswer, keep: RowFilter | None = None) -> None:
        super().__init__(answer)
        self._keep = keep

    def batches(self) -> Iterator[RowBatch]:
        """
        Rows as the server's bytes, as they arrive: for landing.

        :raises AlloincognitoResponseError: if the answer holds no rows yet, which is not to be taken for a quiet day.
        """
        self._require_ready()
        for piece in self._answer.stream():
            if not isinstance(piece, RowBatch):
                raise AlloincognitoResponseError("The answer holds a recording where calls were expected.")
            yield self._keep(piece) if self._keep is not None else piece

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Rows as Python values, batch by batch."""
        return (batch.decode() for batch in self.batches())


class RecordFile(Result):
    """A recording: iterating gives the mp3's bytes as they arrive."""

    @property
    def file_name(self) -> str | None:
        """``file_NAME`` as it came, which is personal; sure to be known only when the bytes have ended."""
        envelope = self._answer.envelope
        return envelope.file_name if envelope is not None else None

    def __iter__(self) -> Iterator[bytes]:
        """
        Give the mp3 as it arrives.

        :raises AlloincognitoResponseError: if the answer holds no recording yet, or one without a byte.
        """
        self._require_ready()
        size = 0
        for piece in self._answer.stream():
            if not isinstance(piece, bytes):
                raise AlloincognitoResponseError("The answer holds calls where a recording was expected.")
            size += len(piece)
            yield piece
        if not size:
            raise AlloincognitoResponseError("The answer holds no recording, or one without a byte.")

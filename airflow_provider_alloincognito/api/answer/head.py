"""What can be known of an answer before its rows or its recording: for both transports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.envelope import CHUNK, Envelope, EnvelopeReader, Piece
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

LARGEST_SMALL_BODY = 1 << 20


class AnswerHead:
    """
    Status, headers and envelope of one answer; the transport feeds it the body until it has enough.

    :param method: the API's method that was asked.
    :param status: the HTTP status.
    :param headers: the HTTP headers, in any case.
    :param settings: the server's.
    :param is_small: read all of the body, and do not insist on its being an envelope.
    """

    def __init__(
        self, method: str, status: int, headers: Mapping[str, str], settings: Settings, *, is_small: bool
    ) -> None:
        self.method = method
        self.status = status
        self.body = b""
        """The whole body, if it is small."""
        self.pieces: list[Piece] = []
        """What of the rows or the recording came along."""
        self.ended = False
        self.reader: EnvelopeReader | None = EnvelopeReader(max_bytes=settings.max_response_bytes or None)
        self._headers = headers
        self._settings = settings
        # Rows may come with any status of success; "not ready yet" and failures are small.
        self._is_small = is_small or status == verdict.ACCEPTED or not 200 <= status < 300

    def take(self, chunk: bytes) -> None:
        """Take the next chunk of the body."""
        if self._is_small:
            self.body += chunk
        else:
            assert self.reader is not None
            self.pieces += self.reader.feed(chunk)

    @property
    def can_be_judged(self) -> bool:
        """Whether enough of the body has come."""
        if self._is_small:
            return len(self.body) > LARGEST_SMALL_BODY
        return self.reader is not None and self.reader.opened

    def end(self) -> None:
        """The body has ended, or goes on for longer than it may."""
        self.ended = True
        if not self._is_small:
            assert self.reader is not None
            self.pieces += self.reader.finish()
            return
        try:
            assert self.reader is not None
            self.reader.feed(self.body)
            self.reader.finish()
        except AlloincognitoResponseError:
            self.reader = None

    @property
    def best_chunk(self) -> int:
        """How many bytes of the body to take next, at most."""
        return self.reader.best_chunk if self.reader is not None else CHUNK

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body is none."""
        return self.reader.envelope if self.reader is not None else None

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, from the header ``Date``."""
        try:
            moment = parsedate_to_datetime(self._headers["Date"])
        except (KeyError, ValueError):
            return None
        return moment if moment.tzinfo else None

    @property
    def retry_after(self) -> str | None:
        """The header ``Retry-After``."""
        return self._headers.get("Retry-After")

    def is_ready(self, ready_check: str | None = None) -> bool:
        """Whether the answer holds the result, by a check of the user's own if there is one."""
        return verdict.is_ready(self, self._settings, ready_check)

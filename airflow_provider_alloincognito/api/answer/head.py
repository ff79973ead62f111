"""The head of a response: all that is known of it before its rows or its recording. For both transports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.encoding import BodyDecoder
from airflow_provider_alloincognito.api.answer.envelope import Envelope, EnvelopeReader
from airflow_provider_alloincognito.api.answer.places import Piece
from airflow_provider_alloincognito.api.backoff import http_date, retry_after
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import DISCOVER, AlloincognitoResponseError, AlloincognitoTruncatedError

LARGEST_SMALL_BODY = 1 << 18
PLAUSIBLE_YEARS = range(1970, 9999)  # a token's lifetime can be added to any moment of these


class AnswerHead:
    """
    Status, headers and envelope of one response; the transport feeds it the body until the head is complete.

    :param method: the API's method, for errors.
    :param status: the HTTP status.
    :param headers: the HTTP headers, in any case.
    :param settings: the server's.
    :param is_small: read all of the body, and accept one that is not an envelope.
    """

    def __init__(
        self, method: str, status: int, headers: Mapping[str, str], settings: Settings, *, is_small: bool
    ) -> None:
        self.method = method
        self.status = status
        self.body = b""
        """The whole body, if it is small; the start of one that should be small and is not."""
        self.pieces: list[Piece] = []
        """The rows or the part of a recording that arrived with the head."""
        self.ended = False
        self._headers = headers
        self.settings = settings
        self._decoder = BodyDecoder(headers.get("Content-Type"))
        self._reader = EnvelopeReader(settings.api_mapping, max_bytes=settings.max_response_bytes or None)
        self._has_envelope = True
        # Rows may come with any status of success; "not ready yet" and failures are small.
        self.is_small = is_small or status == verdict.ACCEPTED or not 200 <= status < 300
        """Whether the whole body is of interest, and short."""

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk of the body."""
        self._read(self._decoder.decode(chunk))

    @property
    def head_complete(self) -> bool:
        """Whether enough of the body has arrived to judge the response."""
        return len(self.body) > LARGEST_SMALL_BODY if self.is_small else self._reader.head_complete

    def _read(self, chunk: bytes, *, last: bool = False) -> None:
        if self.is_small and not self.head_complete:
            self.body += chunk
        if not self._has_envelope:
            return
        try:
            self.pieces += self._reader.feed(chunk)
            if last:
                self.pieces += self._reader.finish()
        except AlloincognitoTruncatedError:
            if self._promises_a_body:
                raise
            if not self.is_small:
                raise AlloincognitoResponseError(
                    f"Unexpected response: the response to {self.method} is empty. Check that the method's path in the "
                    f"Connection is the one on the server's /docs page. {DISCOVER}"
                ) from None
            self._has_envelope = False
        except AlloincognitoResponseError:
            if not self.is_small:
                raise
            self._has_envelope = False

    @property
    def _promises_a_body(self) -> bool:
        """Whether a body that ends early, or is missing, was cut: a failure or "not ready yet" may come without one."""
        if self._reader.is_empty:
            return self.status == verdict.OK and self._headers.get("Content-Length") != "0"
        return 200 <= self.status < 300

    def finish(self) -> None:
        """Note that the body has ended."""
        self.ended = True
        self._read(self._decoder.decode(b"", last=True), last=True)

    def truncated(self, error: Exception) -> AlloincognitoTruncatedError:
        """Return the error for a connection that broke, without the transport's own text, which may quote a URL."""
        return AlloincognitoTruncatedError(
            f"Response truncated: the connection broke in the middle of the response to {self.method} "
            f"({type(error).__name__}). Nothing of it was kept; another try may get all of it."
        )

    @property
    def best_chunk(self) -> int:
        """The number of bytes of the body to feed next, at most, that is read fastest."""
        return self._reader.best_chunk

    @property
    def envelope(self) -> Envelope | None:
        """The envelope as far as it has been read; None if the body has none."""
        return self._reader.envelope if self._has_envelope else None

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, from the header ``Date``."""
        moment = http_date(self._headers.get("Date"))
        return moment if moment is not None and moment.year in PLAUSIBLE_YEARS else None

    @property
    def allow(self) -> str | None:
        """The header ``Allow``: the verbs that the path has."""
        return self._headers.get("Allow")

    @property
    def retry_after(self) -> float | None:
        """The seconds that the server asks to wait."""
        return retry_after(self._headers)

    def is_ready(self, ready_check: str | None = None) -> bool:
        """
        Return whether the response contains the result.

        :param ready_check: as for :func:`~airflow_provider_alloincognito.api.answer.verdict.is_ready`.
        """
        return verdict.is_ready(self, self.settings, ready_check)

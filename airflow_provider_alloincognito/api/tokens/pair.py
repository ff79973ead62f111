"""The pair of access and refresh token: what the API gives, and how a store keeps it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.errors import AlloincognitoResponseError

# The API's text: an access token lives 24 hours, a refresh token 25.
ACCESS_LIFETIME = timedelta(hours=24)
REFRESH_LIFETIME = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """
    One access/refresh pair. Its ``repr`` holds no token.

    :param access_token: authenticates every method but ``create`` and ``refresh``.
    :param access_expires_at: its end, in UTC, by the server's clock.
    :param refresh_token: authenticates ``refresh``, once.
    :param refresh_expires_at: its end, in UTC, by the server's clock.
    :param obtained_at: when the pair was made, in UTC, by the server's clock where its answer said the time.
    :param losses: epoch seconds at which pairs before this one were found dead before their time.
    """

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime
    obtained_at: datetime
    losses: tuple[float, ...] = ()

    @property
    def id(self) -> str:
        """A short digest that logs may show."""
        return hashlib.sha256(self.access_token.encode()).hexdigest()[:12]

    @property
    def lifetime(self) -> timedelta:
        """How long the access token lives, as far as its texts can be believed."""
        lifetime = self.access_expires_at - self.obtained_at
        return lifetime if timedelta() < lifetime <= ACCESS_LIFETIME else ACCESS_LIFETIME

    def to_json(self) -> bytes:
        """Write the pair as a store keeps it; inner names are such that Airflow masks their values."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> TokenPair:
        """Read what :meth:`to_json` wrote."""
        return msgspec.json.decode(text, type=cls)


def read_pair(body: bytes, zone: ZoneInfo, now: datetime) -> TokenPair:
    """
    Read the answer of ``create`` or ``refresh``.

    :param body: bare as the API's text prints it, or under ``result`` (assumed).
    :param zone: the API's zone.
    :param now: the moment of the answer, by the server's clock if it is known.
    :raises AlloincognitoResponseError: if no pair is in it.
    """
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        answer = None
    fields = answer.get("result", answer) if isinstance(answer, dict) else None
    tokens = [fields.get(name) for name in ("accessToken", "refreshToken")] if isinstance(fields, dict) else []
    if not isinstance(fields, dict) or not all(isinstance(token, str) and token.strip() for token in tokens):
        raise AlloincognitoResponseError(
            "The answer to a request for a token pair holds no accessToken and refreshToken. Is the Connection's host "
            "a server of AlloIncognito's, and are create_path and refresh_path what its /docs page says?"
        )
    access, renewal = (str(token).strip() for token in tokens)
    return TokenPair(
        access_token=access,
        access_expires_at=_expiry(fields, "accessTokenExpiredIn", access, zone, now + ACCESS_LIFETIME),
        refresh_token=renewal,
        refresh_expires_at=_expiry(fields, "refreshTokenExpiredIn", renewal, zone, now + REFRESH_LIFETIME),
        obtained_at=now,
    )


def _expiry(fields: Mapping[str, Any], name: str, token: str, zone: ZoneInfo, otherwise: datetime) -> datetime:
    return parse_api_time(fields.get(name), zone) or jwt_expiry(token) or otherwise


def jwt_expiry(token: str) -> datetime | None:
    """Read the claim ``exp`` of a token that has the form of a JWT; None where it cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return parse_api_time(claims["exp"], ZoneInfo("UTC"))
    except (IndexError, KeyError, TypeError, ValueError):  # msgspec's and base64's errors are ValueErrors
        return None


def utc_now() -> datetime:
    """The moment, aware, in UTC."""
    return datetime.now(UTC)

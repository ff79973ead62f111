"""The pair of access and refresh token: how it is read from a response, and how a store keeps it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_alloincognito.api.mapping import DEFAULT, ApiMapping, Path
from airflow_provider_alloincognito.api.times import parse_api_time
from airflow_provider_alloincognito.errors import DISCOVER, AlloincognitoResponseError

# From the API's text.
ACCESS_LIFETIME = timedelta(hours=24)
REFRESH_LIFETIME = timedelta(hours=25)
JWT_START = "eyJ"
"""``{"`` in base64url."""
SHORTEST_SIGNATURES = {"HS256": 43, "HS384": 64, "HS512": 86, "RS256": 342, "RS384": 342, "RS512": 342}
"""Characters of base64url, by a JWT's ``alg``; of RSA with the smallest key that JWTs may have."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """
    One pair of tokens. Its ``repr`` shows neither.

    :param access_token: authenticates every method but ``create`` and ``refresh``.
    :param access_expires_at: its end, in UTC, by the server's clock.
    :param refresh_token: authenticates ``refresh``, once.
    :param refresh_expires_at: its end, in UTC, by the server's clock.
    :param obtained_at: when the pair was made, in UTC, by the server's clock if the response gave the time.
    :param early_losses: when earlier pairs were rejected before their end, in seconds since the epoch.
    """

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime
    obtained_at: datetime
    early_losses: tuple[float, ...] = ()

    @property
    def id(self) -> str:
        """A short digest of the access token, for logs."""
        return hashlib.sha256(self.access_token.encode()).hexdigest()[:12]

    @property
    def lifetime(self) -> timedelta:
        """How long the access token is valid; 24 hours where its own times cannot be right."""
        lifetime = self.access_expires_at - self.obtained_at
        return lifetime if timedelta() < lifetime <= ACCESS_LIFETIME else ACCESS_LIFETIME

    def to_json(self) -> bytes:
        """Return the pair as a store keeps it. Airflow masks values that have names like these."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> TokenPair:
        """Return the pair that :meth:`to_json` wrote."""
        return msgspec.json.decode(text, type=cls)


def read_pair(body: bytes, zone: ZoneInfo, now: datetime, mapping: ApiMapping = DEFAULT) -> TokenPair:
    """
    Read the pair from a response to ``create`` or ``refresh``.

    :param body: the pair itself, as in the API's text, or an object that has it under ``result`` (assumed), or as the
        mapping says.
    :param zone: the API's zone.
    :param now: the time of the response, by the server's clock if it is known.
    :param mapping: where the pair's fields are.
    :raises AlloincognitoResponseError: if the body holds no pair.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = None
    tokens = [_value_at(content, mapping.paths(name)) for name in ("accessToken", "refreshToken")]
    if not all(isinstance(token, str) and token.strip() for token in tokens):
        raise AlloincognitoResponseError(
            f"The response to create or refresh has no token at {mapping.path_text('accessToken')}, or none at "
            f"{mapping.path_text('refreshToken')}. Check the Connection: its host must be a server of AlloIncognito, "
            f"and create_path, refresh_path and api_mapping must be as on its /docs page. {DISCOVER}"
        )
    access, refresh = (str(token).strip() for token in tokens)
    if not (can_be_token(access) and can_be_token(refresh)):
        raise AlloincognitoResponseError(
            "The response to create or refresh has a token with a space, a line break or a character that no token "
            "has, so the pair was not kept. Try again; if it happens again, ask AlloIncognito's support."
        )
    access_end, refresh_end = (
        _value_at(content, mapping.paths(name)) for name in ("accessTokenExpiredIn", "refreshTokenExpiredIn")
    )
    return TokenPair(
        access_token=access,
        access_expires_at=_expiry(access_end, access, zone, now, ACCESS_LIFETIME),
        refresh_token=refresh,
        refresh_expires_at=_expiry(refresh_end, refresh, zone, now, REFRESH_LIFETIME),
        obtained_at=now,
    )


def _value_at(content: Any, paths: Iterable[Path]) -> Any:
    """Return the value at the first path that leads to one; None if there is none."""
    for path in paths:
        value = content
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def can_be_token(text: str) -> bool:
    """Return whether a text has only characters that an HTTP header can carry in a token: visible ASCII."""
    return all("!" <= character <= "~" for character in text)


def _expiry(told: object, token: str, zone: ZoneInfo, now: datetime, lifetime: timedelta) -> datetime:
    """Return a new token's end. One that has passed was misread: the field may hold, say, the seconds that are left."""
    ends = (parse_api_time(told, zone), jwt_expiry(token))
    return next((end for end in ends if end is not None and end > now), now + lifetime)


def jwt_expiry(token: str) -> datetime | None:
    """Return the expiry in a token, its claim ``exp``; None if the token is not a JWT with a readable one."""
    try:
        claims = msgspec.json.decode(_from_base64url(token.split(".")[1]))
        return parse_api_time(claims["exp"], ZoneInfo("UTC"))
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):  # ValueError: msgspec's and base64's
        return None


def looks_shortened(token: str) -> bool:
    """Return whether a token begins as a JWT does, but its end is missing, as far as its ``alg`` tells."""
    header, *others = token.split(".")
    if len(others) < 2:
        return token.startswith(JWT_START)
    try:
        shortest = SHORTEST_SIGNATURES[msgspec.json.decode(_from_base64url(header))["alg"]]
    except (KeyError, TypeError, ValueError, RecursionError):  # ValueError: msgspec's and base64's
        return False
    # No number of bytes has 4n + 1 characters in base64.
    return len(others[1]) < shortest or any(len(part) % 4 == 1 for part in others)


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)

"""The three kinds of tokens, and the one pair that is valid."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from airflow_provider_alloincognito.sandbox.settings import SandboxSettings

Kind = Literal["authorization", "access", "refresh"]
State = Literal["living", "missing", "unknown", "wrong_kind", "revoked", "expired", "early"]
Maker = Literal["create", "refresh", "stranger"]

AUTHORIZATION_LIFETIME = 365 * 24 * 3600.0


@dataclass(slots=True, eq=False)
class Token:
    """A token that was issued. ``ends`` is on the monotonic clock, ``expires`` on the wall clock."""

    text: str = field(repr=False)
    kind: Kind
    ends: float
    expires: float
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """An access and a refresh token that were made together."""

    access: Token
    refresh: Token


@dataclass(frozen=True, slots=True)
class Rotation:
    """
    A token pair that was made.

    :param number: its number, from 1
    :param by: what made it: a method, or another program (``stranger``)
    :param time: when, seconds since the epoch
    :param killed: the pair that it invalidated: ``none``, with a valid access token (``living``), with only a valid
        refresh token (``access_expired``), or with no valid token (``expired``)
    :param killed_age: the age of that pair in seconds
    """

    number: int
    by: Maker
    time: float
    killed: Literal["none", "living", "access_expired", "expired"]
    killed_age: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """The result of checking the token of a request."""

    state: State
    token: Token | None

    @property
    def valid(self) -> bool:
        """Whether the token is valid for the method."""
        return self.state == "living"


def fingerprint(text: str) -> str:
    """Return a short name for a token that reveals nothing of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class TokenIssuer:
    """
    Issues and checks tokens, under one lock: a new pair and the end of the old one are one event.

    :param settings: lifetimes and the first authorization token
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._lock = threading.RLock()
        self._secret = secrets.token_bytes(32)
        self._contract = str(800_000 + secrets.randbelow(100_000))
        self._issued: dict[str, Token] = {}
        self._pair: Pair | None = None
        self._pair_made = 0.0
        self._rotations: list[Rotation] = []
        self._authorization = self._new(
            "authorization", AUTHORIZATION_LIFETIME, settings, text=settings.authorization_token
        )

    @property
    def authorization_token(self) -> str:
        """The current authorization token."""
        return self._authorization.text

    @property
    def rotations(self) -> list[Rotation]:
        """All pairs that were made, in order."""
        with self._lock:
            return list(self._rotations)

    @property
    def ever_issued(self) -> list[str]:
        """All tokens that were ever issued."""
        with self._lock:
            return list(self._issued)

    def check(self, text: str | None, kind: Kind) -> TokenCheck:
        """
        Check a token.

        :param text: the token; None: the request has none
        :param kind: the kind that is needed
        """
        if text is None:
            return TokenCheck("missing", None)
        with self._lock:
            token = self._issued.get(text)
            if token is None:
                return TokenCheck("unknown", None)
            if token.kind != kind:
                return TokenCheck("wrong_kind", token)
            if token.revoked:
                return TokenCheck("revoked", token)
            if time.monotonic() >= token.ends:
                return TokenCheck("expired", token)
            return TokenCheck("living", token)

    def create(self, text: str | None, settings: SandboxSettings) -> tuple[TokenCheck, Pair | None]:
        """
        Make a pair if an authorization token is valid.

        :param text: the token
        :param settings: the current settings
        """
        with self._lock:
            checked = self.check(text, "authorization")
            return checked, self._rotate("create", settings) if checked.valid else None

    def refresh(self, text: str | None, settings: SandboxSettings) -> tuple[TokenCheck, Pair | None]:
        """
        Make a pair if a refresh token is valid.

        :param text: the token
        :param settings: the current settings
        """
        with self._lock:
            checked = self.check(text, "refresh")
            if not checked.valid:
                return checked, None
            if settings.early_refresh == "refused" and self._pair and time.monotonic() < self._pair.access.ends:
                return TokenCheck("early", checked.token), None
            return checked, self._rotate("refresh", settings)

    def rotate_for_another_program(self, settings: SandboxSettings) -> None:
        """Make a pair that no client gets, as another program with the same authorization token would."""
        with self._lock:
            self._rotate("stranger", settings)

    def expire_access(self) -> None:
        """Let the access token expire now."""
        with self._lock:
            if self._pair:
                self._pair.access.ends = time.monotonic()

    def expire_pair(self) -> None:
        """Let both tokens of the pair expire now."""
        with self._lock:
            if self._pair:
                self._pair.access.ends = self._pair.refresh.ends = time.monotonic()

    def remake_authorization_token(self, settings: SandboxSettings) -> str:
        """Make a new authorization token, as in the personal account; every earlier token becomes invalid."""
        with self._lock:
            self._authorization.revoked = True
            self._revoke_pair()
            self._pair = None
            self._authorization = self._new("authorization", AUTHORIZATION_LIFETIME, settings)
            return self._authorization.text

    def _revoke_pair(self) -> None:
        if self._pair:
            self._pair.access.revoked = self._pair.refresh.revoked = True

    def _rotate(self, by: Maker, settings: SandboxSettings) -> Pair:
        now = time.monotonic()
        killed: Literal["none", "living", "access_expired", "expired"] = "none"
        if self._pair:
            killed = "living" if now < self._pair.access.ends else "access_expired"
            killed = killed if now < self._pair.refresh.ends else "expired"
        age = round(now - self._pair_made, 6) if self._pair else None
        self._revoke_pair()
        self._pair = Pair(
            self._new("access", settings.access_lifetime, settings),
            self._new("refresh", settings.refresh_lifetime, settings),
        )
        self._pair_made = now
        self._rotations.append(Rotation(len(self._rotations) + 1, by, time.time(), killed, age))
        return self._pair

    def _new(self, kind: Kind, lifetime: float, settings: SandboxSettings, text: str | None = None) -> Token:
        expires = time.time() + settings.clock_skew + lifetime
        token = Token(text or self._jwt(kind, expires, settings), kind, time.monotonic() + lifetime, expires)
        self._issued[token.text] = token
        return token

    def _jwt(self, kind: Kind, expires: float, settings: SandboxSettings) -> str:
        claims: dict[str, Any] = {
            "tokenId": str(uuid.uuid4()),
            "p_token_id": str(uuid.uuid4()),
            "roles": [f"api:integrationapi:{kind}"],
            "contract": self._contract,
            "app": "-39",
        }
        if settings.jwt_exp != "none":
            claims["exp"] = int(expires) if settings.jwt_exp == "number" else str(int(expires))
        signed = _JWT_HEADER + b"." + _urlsafe(json.dumps(claims, separators=(",", ":")).encode())
        return (signed + b"." + _urlsafe(hmac.digest(self._secret, signed, "sha256"))).decode()


def _urlsafe(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


_JWT_HEADER = _urlsafe(b'{"alg":"HS256","typ":"JWT"}')

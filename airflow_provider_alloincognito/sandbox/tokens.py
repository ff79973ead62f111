"""Three kinds of tokens, and the one pair that is alive."""

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
    """A token that was issued. ``ends`` is on the monotonic clock, ``expires`` on the wall's."""

    text: str = field(repr=False)
    kind: Kind
    ends: float
    expires: float
    revoked: bool = False
    fingerprint: str = ""

    def __post_init__(self) -> None:
        self.fingerprint = fingerprint(self.text)


@dataclass(frozen=True, slots=True)
class Pair:
    """An access and a refresh token that live and die together."""

    number: int
    access: Token
    refresh: Token


@dataclass(frozen=True, slots=True)
class Rotation:
    """
    A pair that came to be.

    :param number: its number, from 1
    :param by: what made it
    :param time: when, seconds since the epoch
    :param killed: the pair before it: none, with a living access token, with only a refresh token alive, or quite dead
    :param killed_age: for how many seconds that pair had been there
    """

    number: int
    by: Maker
    time: float
    killed: Literal["none", "living", "access_expired", "expired"]
    killed_age: float | None

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON has them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server thinks of a token that it was shown."""

    state: State
    token: Token | None


def fingerprint(text: str) -> str:
    """Give a short name for a token that gives nothing of it away."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class TokenIssuer:
    """
    Issues tokens and judges them. All of it under one lock: a new pair and the end of the old one are one event.

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
        """The authorization token that is valid now."""
        return self._authorization.text

    @property
    def rotations(self) -> list[Rotation]:
        """All pairs that came to be."""
        with self._lock:
            return list(self._rotations)

    @property
    def ever_issued(self) -> list[str]:
        """All tokens that ever left this desk."""
        with self._lock:
            return list(self._issued)

    def judge(self, text: str | None, kind: Kind) -> Verdict:
        """
        Say whether a token is good for something.

        :param text: the token; None: there was none
        :param kind: the kind that is needed
        """
        if text is None:
            return Verdict("missing", None)
        with self._lock:
            token = self._issued.get(text)
            if token is None:
                return Verdict("unknown", None)
            if token.kind != kind:
                return Verdict("wrong_kind", token)
            if token.revoked:
                return Verdict("revoked", token)
            if time.monotonic() >= token.ends:
                return Verdict("expired", token)
            return Verdict("living", token)

    def create(self, text: str | None, settings: SandboxSettings) -> tuple[Verdict, Pair | None]:
        """
        Make a pair for an authorization token, if it is good.

        :param text: the token
        :param settings: the settings of this moment
        """
        with self._lock:
            verdict = self.judge(text, "authorization")
            return verdict, self._rotate("create", settings) if verdict.state == "living" else None

    def refresh(self, text: str | None, settings: SandboxSettings) -> tuple[Verdict, Pair | None]:
        """
        Make a pair for a refresh token, if it is good.

        :param text: the token
        :param settings: the settings of this moment
        """
        with self._lock:
            verdict = self.judge(text, "refresh")
            if verdict.state != "living":
                return verdict, None
            if settings.early_refresh == "refused" and self._pair and time.monotonic() < self._pair.access.ends:
                return Verdict("early", verdict.token), None
            return verdict, self._rotate("refresh", settings)

    def kill_pair(self, settings: SandboxSettings) -> None:
        """Make a pair that nobody is told, as a stranger with the same authorization token would."""
        with self._lock:
            self._rotate("stranger", settings)

    def expire_access(self) -> None:
        """End the access token's life now."""
        with self._lock:
            if self._pair:
                self._pair.access.ends = time.monotonic()

    def expire_pair(self) -> None:
        """End the life of both tokens of the pair now."""
        with self._lock:
            if self._pair:
                self._pair.access.ends = self._pair.refresh.ends = time.monotonic()

    def remake_authorization_token(self, settings: SandboxSettings) -> str:
        """Make a new authorization token, as in the personal account; every token before it is dead."""
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
            len(self._rotations) + 1,
            self._new("access", settings.access_lifetime, settings),
            self._new("refresh", settings.refresh_lifetime, settings),
        )
        self._pair_made = now
        self._rotations.append(Rotation(self._pair.number, by, time.time(), killed, age))
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

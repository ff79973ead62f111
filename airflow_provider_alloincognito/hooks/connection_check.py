"""
The connection test: a few checks, each of which returns a :class:`Finding`, and the text that reports them.

It makes a token pair only if the Connection allows it and the pair can be stored: a pair that is made and lost would
invalidate the one that running tasks use.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus

import requests

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.tokens.pair import jwt_expiry, utc_now
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.api.tokens.stores import (
    ClaimingTokenStore,
    LockingTokenStore,
    MemoryTokenStore,
    TokenStore,
)
from airflow_provider_alloincognito.api.transport import network
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.in_flight import InFlight
from airflow_provider_alloincognito.api.transport.session import ServerSession
from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, AirflowNotFoundException
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoMissingExtraError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
)
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.hooks.shared import shared_pair

log = logging.getLogger(__name__)

# No request has this hash: if the server accepts the token, it responds with an error about the hash.
UNKNOWN_HASH = "Y29ubmVjdGlvbi10ZXN0"
LONGEST_DOCS = 10.0
LONGEST_PAIR = 60.0
TRIAL = "connection_test"
NOT_TRIED = (
    "The authorization token was not tried: that makes a new token pair, which invalidates the one in use.",
    "Run a task to try it, or see test_makes_pair in docs/connection.md.",
)

SAVED_TOKEN = (
    "If it is saved already, put it in again: Airflow 2's form does not pass a saved token to its Test button."
)


class Outcome(IntEnum):
    """What a check has come to; the worst comes first."""

    FAILED = logging.ERROR
    WARNING = logging.WARNING
    OK = logging.INFO


@dataclass(frozen=True)
class Finding:
    """
    What one check found.

    :param outcome: how good that is; also the level at which it is logged.
    :param text: what was found, as a sentence or two.
    :param fix: what to do about it, likewise; empty if there is nothing to do, or if ``text`` says it.
    :param subject: what was checked, such as ``TLS``.
    """

    outcome: Outcome
    text: str
    fix: str = ""
    subject: str = ""

    def __str__(self) -> str:
        label = "OK" if self.outcome is Outcome.OK else self.outcome.name.capitalize()
        return f"{label}: {self.text} {self.fix}".rstrip()


def report(findings: Iterable[Finding]) -> tuple[bool, str]:
    """
    Return whether a Connection can work, and the findings as one text, as Airflow's UI shows them.

    They are logged as well, since ``airflow connections test`` drops the text of a success.
    """
    ordered = sorted(findings, key=lambda finding: -finding.outcome)
    for finding in ordered:
        log.log(finding.outcome, "Connection test: %s", finding)
    return ordered[0].outcome is not Outcome.FAILED, "\n".join(map(str, ordered))


def run_checks(read: Callable[[], Access]) -> list[Finding]:
    """
    Check a Connection. Each check but the first assumes no more than that the Connection could be read.

    :param read: reads it.
    """
    try:
        access = read()
    except AlloincognitoAuthError as error:
        return [Finding(Outcome.FAILED, str(error), SAVED_TOKEN if AIRFLOW_VERSION < (3, 0) else "")]
    except AlloincognitoError as error:
        return [Finding(Outcome.FAILED, str(error))]
    findings = [check_token(access), check_server(access), check_store(access)]
    if not any(finding.outcome is Outcome.FAILED for finding in findings):
        findings.append(check_pair(access))
    return findings


def check_token(access: Access) -> Finding:
    """Check the form of the authorization token, and its end."""
    if access.authorization_token.count(".") != 2:
        return Finding(
            Outcome.WARNING,
            "The password is not a JWT (a JWT has two dots), so it is probably not the authorization token.",
            "Copy the token again.",
        )
    end = jwt_expiry(access.authorization_token)
    if end is None:
        return Finding(Outcome.OK, "The password has the form of a JWT, as the authorization token has.")
    if end < utc_now():
        return Finding(
            Outcome.FAILED,
            f"The authorization token expired on {end:%Y-%m-%d %H:%M} UTC.",
            "Make a new one in the personal account.",
        )
    return Finding(Outcome.OK, f"The password is a JWT that is valid until {end:%Y-%m-%d %H:%M} UTC.")


def check_server(access: Access) -> Finding:
    """Check that the server responds: its name, the proxy, the connection, TLS, and its page ``/docs``."""
    settings = access.settings
    try:
        reached = network.resolve(settings)
    except AlloincognitoError as error:
        return Finding(Outcome.FAILED, str(error))
    flight = InFlight(settings, threading.Event()).begin("GET /docs", min(settings.timeout, LONGEST_DOCS))
    try:
        with ServerSession(reached) as session, flight.sending():
            status = session.get(f"{settings.server}/docs", timeout=LONGEST_DOCS, stream=True).status_code
    except requests.RequestException as error:
        return Finding(Outcome.FAILED, str(flight.explain(no_response_error("GET /docs", reached, error))))
    finally:
        flight.end()
    via = f" through the proxy {reached.proxy.address}" if reached.proxy is not None else ""
    if status == HTTPStatus.OK:
        return Finding(Outcome.OK, f"The server {settings.server} responds{via}.")
    return Finding(
        Outcome.WARNING,
        f"The server {settings.server} responds{via}, but to a request for its page /docs with HTTP status {status}.",
        "Check that the Connection's host and port are the API's: see that page in a browser.",
    )


def check_store(access: Access) -> Finding:
    """Check that the store of the token pair can be read from here."""
    name = access.settings.pair_store
    try:
        store, _ = shared_pair(access.settings, access.authorization_token)
        pair = store.load()
    except (AlloincognitoMissingExtraError, AlloincognitoShadowedTokenStoreError) as error:
        return Finding(Outcome.FAILED, str(error))
    except AlloincognitoTokenStoreError as error:  # a task may well reach it
        return Finding(Outcome.WARNING, f"The token pair was not checked. {error}")
    except AirflowNotFoundException:
        return Finding(
            Outcome.FAILED, f"There is no Connection that pair_store names: {name}.", "Make it, of the type Redis."
        )
    if isinstance(store, MemoryTokenStore):
        return Finding(
            Outcome.WARNING,
            "pair_store is 'memory', so each process invalidates the token pairs of all others.",
            "Leave pair_store empty, unless this is for a script or a test.",
        )
    kept = "No token pair was stored yet, or none can be read from here" if pair is None else "A token pair is stored"
    return Finding(Outcome.OK, f"{kept} (pair_store: {name}).")


def check_pair(access: Access) -> Finding:
    """Try the stored token pair. If it is not accepted, make one, where that is allowed and it can be stored."""
    finding = _try_stored_pair(access)
    if finding.outcome is Outcome.OK or not access.settings.test_makes_pair:
        return finding
    store, keeper = shared_pair(access.settings, access.authorization_token)
    try:
        _try_to_write(store)
    except AlloincognitoTokenStoreError as error:
        is_outside_a_task = AIRFLOW_VERSION >= (3, 0) and access.settings.pair_store == "variable"
        why = "In Airflow 3, only tasks and triggers can save Variables." if is_outside_a_task else str(error)
        return Finding(
            Outcome.WARNING,
            f"The authorization token was not tried: a new token pair could not be stored from here. {why}",
            "Run a task to try it.",
        )
    client = Client(access.settings, store, keeper)
    failure: AlloincognitoError | None = None
    try:
        client.open(_harmless_request(access), deadline=time.monotonic() + LONGEST_PAIR).close()
    except AlloincognitoError as error:  # about the hash, or about the token
        failure = error
    finally:
        client.close()
    made = _try_stored_pair(access)
    if made.outcome is Outcome.OK:
        return Finding(
            Outcome.OK,
            "The test has made and stored a token pair, and the server accepts it, so the authorization token works.",
        )
    return made if failure is None else Finding(Outcome.FAILED, str(failure))


def _try_stored_pair(access: Access) -> Finding:
    """Send a request with the stored pair, without the keeper: a rejection must not replace the pair."""
    store, keeper = shared_pair(access.settings, access.authorization_token)
    try:
        pair = store.load()
    except AlloincognitoTokenStoreError:
        pair = None  # check_store says why
    if pair is None:
        return Finding(Outcome.WARNING, *NOT_TRIED)
    client = Client(access.settings, store, keeper)
    try:
        response = client.send(Send(_harmless_request(access), pair.access_token))
        response.close()
    except AlloincognitoError as error:
        return Finding(Outcome.WARNING, f"The stored token pair could not be tried. {error}")
    finally:
        client.close()
    if verdict.token_is_rejected(response, access.settings):
        return Finding(
            Outcome.WARNING, "The server no longer accepts the stored token pair. The next task replaces it."
        )
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Finding(
            Outcome.WARNING, f"The stored token pair could not be tried: the server says HTTP status {response.status}."
        )
    return Finding(Outcome.OK, "The server accepts the stored token pair, so the authorization token works.")


def _harmless_request(access: Access) -> methods.ApiRequest:
    return methods.request_result(access.settings, UNKNOWN_HASH)


def _try_to_write(store: TokenStore) -> None:
    """
    Prove that a token pair could be stored.

    :raises AlloincognitoTokenStoreError: if it could not, or is only kept in this process.
    """
    if isinstance(store, MemoryTokenStore):
        raise AlloincognitoTokenStoreError("Only this process would have it, since pair_store is 'memory'.")
    if isinstance(store, LockingTokenStore):
        store.lock(LONGEST_PAIR, 0.0)
        store.unlock()
    elif isinstance(store, ClaimingTokenStore):
        nonce = secrets.token_hex(8)
        store.write_claim(TRIAL, nonce)
        if store.read_claim(TRIAL) != nonce:
            raise AlloincognitoTokenStoreError("What is written to it is not read back.")
        store.drop_claim(TRIAL)

"""
The connection test: a few checks, each of which returns a :class:`Finding`, and the text that reports them.

It makes a token pair only if the Connection allows it and the pair can be stored: a pair that is made and lost would
invalidate the one that running tasks use.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.tokens.pair import jwt_expiry, looks_shortened, utc_now
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.api.tokens.stores import (
    ClaimingTokenStore,
    LockingTokenStore,
    MemoryTokenStore,
    TokenStore,
)
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.compat import FORM_TESTS_SAVED_PASSWORDS, AirflowNotFoundException
from airflow_provider_alloincognito.errors import (
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoMissingExtraError,
    AlloincognitoSettingsError,
    AlloincognitoShadowedTokenStoreError,
    AlloincognitoTokenStoreError,
)
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.hooks.findings import Finding, Outcome
from airflow_provider_alloincognito.hooks.server_check import check_server
from airflow_provider_alloincognito.hooks.shared import shared_pair

log = logging.getLogger(__name__)

# No request has this hash: if the server accepts the token, it responds with an error about the hash.
UNKNOWN_HASH = "Y29ubmVjdGlvbi10ZXN0"
LONGEST_PAIR = 60.0
STORE_CALLS = 20
"""That it takes at most as long as so many calls of the token store to make a pair."""
TRIAL = "connection_test"
NOT_TRIED = (
    "The authorization token was not tried: that makes a new token pair, which invalidates the one in use.",
    "Run a task to try it, or see test_makes_pair in docs/connection.md and --make-pair in docs/cli.md.",
)
COPY_AGAIN = "Copy the whole token again."
SAVED_TOKEN = (
    "If it is saved already, put it in again: Airflow 2's form does not pass a saved token to its Test button."
)


def report(findings: Iterable[Finding]) -> tuple[bool, str]:
    """
    Return whether a Connection can work, and the findings as one text, as Airflow's UI shows them.

    They are logged as well, since ``airflow connections test`` drops the text of a success.
    """
    ordered = sorted(findings, key=lambda finding: -finding.outcome)
    for finding in ordered:
        log.log(finding.outcome, "Connection test: %s", finding)
    return ordered[0].outcome is not Outcome.FAILED, "\n".join(map(str, ordered))


def run_checks(
    read: Callable[[], Access], *, makes_pair: bool | None = None, tries_to_write: bool = False
) -> list[Finding]:
    """
    Check a Connection. Each check but the first assumes no more than that the Connection could be read.

    :param read: reads it.
    :param makes_pair: whether a token pair may be made where none is accepted and one can be stored; by default the
        Connection's ``test_makes_pair``.
    :param tries_to_write: whether to write a trial entry to the token store, and remove it.
    """
    try:
        access = read()
    except AlloincognitoAuthError as error:
        fix = "" if FORM_TESTS_SAVED_PASSWORDS else SAVED_TOKEN
        return [Finding(Outcome.FAILED, str(error), fix, "Connection")]
    except AlloincognitoSettingsError as error:
        return [Finding(Outcome.FAILED, str(error), subject="Connection")]
    findings = [
        *check_server(access.settings),
        check_token(access.authorization_token),
        check_store(access, tries_to_write=tries_to_write),
    ]
    if not any(finding.outcome is Outcome.FAILED for finding in findings):
        may_make = access.settings.test_makes_pair if makes_pair is None else makes_pair
        pair = check_pair(access, may_make=may_make, is_writable=tries_to_write)
        findings.append(replace(pair, subject="Token pair"))
    return findings


def check_token(token: str) -> Finding:
    """Check the form of the authorization token, and its end."""
    found = partial(Finding, subject="Token")
    end = jwt_expiry(token)
    if end is not None and end < utc_now():
        text = f"The authorization token expired on {end:%Y-%m-%d %H:%M} UTC."
        return found(Outcome.FAILED, text, "Make a new one in the personal account.")
    if looks_shortened(token):
        return found(
            Outcome.WARNING,
            f"The authorization token looks shortened: it begins as a JWT does, but its end is missing (it has "
            f"{len(token)} characters).",
            COPY_AGAIN,
        )
    if token.count(".") != 2:
        text = "The password is not a JWT (a JWT has two dots), so it is probably not the authorization token."
        return found(Outcome.WARNING, text, COPY_AGAIN)
    if end is None:
        return found(Outcome.OK, "The password has the form of a JWT, as the authorization token has.")
    return found(Outcome.OK, f"The password is a JWT that is valid until {end:%Y-%m-%d %H:%M} UTC.")


def check_store(access: Access, *, tries_to_write: bool = False) -> Finding:
    """Check that the store of the token pair can be read from here, and written."""
    return replace(_check_store(access, tries_to_write), subject="Token store")


def _check_store(access: Access, tries_to_write: bool) -> Finding:
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
    if not tries_to_write:
        return Finding(Outcome.OK, f"{kept} (pair_store: {name}).")
    try:
        try_to_write(store)
    except AlloincognitoTokenStoreError as error:
        return Finding(Outcome.FAILED, f"A trial entry could not be written (pair_store: {name}). {error}")
    return Finding(Outcome.OK, f"{kept} (pair_store: {name}). A trial entry could be written, and was removed.")


def check_pair(access: Access, *, may_make: bool, is_writable: bool = False) -> Finding:
    """
    Try the stored token pair. If it is not accepted, make one, where that is allowed and it can be stored.

    :param may_make: whether that is allowed.
    :param is_writable: whether the store is known to be writable.
    """
    finding = _try_stored_pair(access)
    if finding.outcome is Outcome.OK or not may_make:
        return finding
    store, keeper = shared_pair(access.settings, access.authorization_token)
    try:
        if isinstance(store, MemoryTokenStore) or not is_writable:
            try_to_write(store)
    except AlloincognitoTokenStoreError as error:
        return Finding(
            Outcome.WARNING,
            f"The authorization token was not tried: a new token pair could not be stored from here. {error}",
            "Run a task to try it.",
        )
    client = Client(access.settings, store, keeper)
    failure: AlloincognitoError | None = None
    try:
        longest = max(LONGEST_PAIR, STORE_CALLS * access.settings.pair_store_seconds)
        client.open(_harmless_request(access), deadline=time.monotonic() + longest).close()
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


def try_to_write(store: TokenStore) -> None:
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

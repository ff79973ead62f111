"""The connection test: what can be checked without making a token pair, which would invalidate the one in use."""

from __future__ import annotations

import threading

import requests

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.tokens.pair import jwt_expiry, utc_now
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.api.transport import network
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.in_flight import InFlight
from airflow_provider_alloincognito.api.transport.session import ServerSession
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.hooks.shared import shared_pair

# No request has this hash: if the server accepts the token, it responds with an error about the hash.
UNKNOWN_HASH = "Y29ubmVjdGlvbi10ZXN0"
SERVER_ERROR = 500
LONGEST_DOCS = 10.0
NOT_CHECKED = (
    "It was not checked whether the server accepts the authorization token: that would make a new token pair and "
    "invalidate the one that running tasks use."
)


def check(access: Access) -> tuple[bool, str]:
    """Return whether a Connection can work, and what was found, as Airflow's connection test shows it."""
    texts = []
    for check_one in (_check_token, _check_server, _check_stored_pair):
        is_good, text = check_one(access)
        texts.append(text)
        if not is_good:
            return False, " ".join(texts)
    return True, " ".join([*texts, NOT_CHECKED])


def _check_token(access: Access) -> tuple[bool, str]:
    if access.authorization_token.count(".") != 2:
        return True, "The password is not a JWT (a JWT has two dots), so it is probably not the authorization token."
    end = jwt_expiry(access.authorization_token)
    if end is not None and end < utc_now():
        return False, f"The authorization token expired on {end:%Y-%m-%d %H:%M} UTC: make a new one."
    return True, "The password is a JWT that has not expired."


def _check_server(access: Access) -> tuple[bool, str]:
    settings = access.settings
    reached = network.resolve(settings)
    flight = InFlight(settings, threading.Event()).begin("/docs", min(settings.timeout, LONGEST_DOCS))
    try:
        with ServerSession(reached) as session, flight.sending():
            status = session.get(f"{settings.server}/docs", timeout=LONGEST_DOCS, stream=True).status_code
    except requests.RequestException as error:
        return False, str(flight.explain(no_response_error("/docs", reached, error)))
    finally:
        flight.end()
    return True, f"The server {settings.server} responds (HTTP status {status} for its /docs page)."


def _check_stored_pair(access: Access) -> tuple[bool, str]:
    """Send a request with the stored pair, without the keeper: a rejection must not replace the pair."""
    store, keeper = shared_pair(access.settings, access.authorization_token)
    try:
        pair = store.load()
    except AlloincognitoError:
        return True, "The token store could not be read from here, so the token pair was not checked."
    if pair is None:
        return True, "No token pair is stored yet (or it cannot be read from here); the first task makes one."
    client = Client(access.settings, store, keeper)
    try:
        response = client.send(Send(methods.request_result(access.settings, UNKNOWN_HASH), pair.access_token))
        response.close()
    except AlloincognitoError as error:
        return True, f"A token pair is stored, but could not be checked ({type(error).__name__})."
    finally:
        client.close()
    if verdict.token_is_rejected(response, access.settings):
        return True, "A token pair is stored, but the server no longer accepts it; the next task replaces it."
    if response.status >= SERVER_ERROR:
        return True, f"A token pair is stored, but could not be checked (HTTP status {response.status})."
    return True, "A token pair is stored, and the server accepts it."

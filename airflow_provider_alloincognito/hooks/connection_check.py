"""The connection test: what can be checked without making a token pair, which would end the one in use."""

from __future__ import annotations

import requests

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.tokens.pair import jwt_expiry, utc_now
from airflow_provider_alloincognito.api.tokens.steps import Send
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.hooks.shared import shared_pair

# A hash that nobody has: the API answers with an error of its own if it accepts the token.
NOBODYS_HASH = "Y29ubmVjdGlvbi10ZXN0"
SERVER_ERROR = 500
UNCHECKED = (
    "Whether the authorization token is accepted was not tried: that would make a new token pair and end the one that "
    "running tasks use."
)


def check(access: Access) -> tuple[bool, str]:
    """Give Airflow's verdict and text for a Connection."""
    steps = (_check_token, _check_server, _check_stored_pair)
    said = []
    good = True
    for step in steps:
        fine, text = step(access)
        good = good and fine
        said.append(text)
        if not good:
            break
    return good, " ".join([*said, UNCHECKED] if good else said)


def _check_token(access: Access) -> tuple[bool, str]:
    if access.authorization_token.count(".") != 2:
        return True, "The password does not look like an authorization token (a JWT has two dots), but may be one."
    end = jwt_expiry(access.authorization_token)
    if end is not None and end < utc_now():
        return False, f"The authorization token ended on {end:%Y-%m-%d %H:%M} UTC: make a new one."
    return True, "The authorization token has the form of a JWT that has not ended."


def _check_server(access: Access) -> tuple[bool, str]:
    settings = access.settings
    try:
        status = requests.get(
            f"{settings.server}/docs",
            timeout=min(settings.timeout, 10),
            verify=settings.verify,
            proxies=settings.proxies,
            allow_redirects=False,
        ).status_code
    except requests.RequestException as error:
        return False, f"The server {settings.server} does not answer ({type(error).__name__})."
    return True, f"The server {settings.server} answers (HTTP status {status} for its /docs)."


def _check_stored_pair(access: Access) -> tuple[bool, str]:
    """Send with the stored pair, past the token logic: a rejection here must lead to nothing."""
    store, keeper = shared_pair(access.settings, access.authorization_token)
    try:
        pair = store.load()
    except AlloincognitoError:
        return True, "The token store cannot be read from here, so a stored pair could not be checked."
    if pair is None:
        return True, "No token pair is stored yet (or it cannot be seen from here); the first task makes one."
    client = Client(access.settings, store, keeper)
    try:
        answer = client.send(Send(methods.request_result(access.settings, NOBODYS_HASH), pair.access_token))
        answer.close()
    except AlloincognitoError as error:
        return True, f"A token pair is stored, but could not be tried ({type(error).__name__})."
    finally:
        client.close()
    if verdict.token_is_rejected(answer, access.settings):
        return True, "A token pair is stored but is not accepted any more; the next task replaces it."
    if answer.status >= SERVER_ERROR:
        return True, f"A token pair is stored, but could not be tried (HTTP status {answer.status})."
    return True, "A token pair is stored and is accepted."

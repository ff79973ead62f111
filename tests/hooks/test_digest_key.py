"""Where the key of digests is read from, and what is said if it is not there; code: hooks/digest_key.py."""

from __future__ import annotations

import pytest
from masking import masked

from airflow_provider_alloincognito.errors import (
    AlloincognitoQueryError,
    AlloincognitoSecretsBackendError,
    AlloincognitoSettingsError,
)
from airflow_provider_alloincognito.hooks.digest_key import read_digest_key

KEY = "0123456789abcdef0123456789abcdef"
HOW = "airflow variables set alloincognito_digest_secret $(openssl rand -hex 32)"

pytestmark = pytest.mark.usefixtures("airflow_database")


def set_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_DIGEST_SECRET", key)
    monkeypatch.setenv("AIRFLOW_CONN_DIGESTS", f'{{"conn_type": "generic", "password": "{key}"}}')


PLACES = pytest.mark.parametrize("reference", ["variable://digest_secret", "connection://digests"])


@PLACES
def test_a_key_is_read_and_masked(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    set_key(monkeypatch, f" {KEY} ")
    assert read_digest_key(reference) == KEY.encode()
    assert KEY not in masked(f"It is {KEY}.")


@PLACES
@pytest.mark.parametrize(("key", "what"), [("", "is empty"), ("short", "has only 5 characters"), (None, "is missing")])
def test_a_key_that_is_missing_or_too_short(
    monkeypatch: pytest.MonkeyPatch, reference: str, key: str | None, what: str
) -> None:
    if key is not None:
        set_key(monkeypatch, key)
    with pytest.raises(AlloincognitoSettingsError) as caught:
        read_digest_key(reference)
    for part in (what, HOW, reference.partition("://")[2], "at least 16"):
        assert part in str(caught.value)
    assert "short" not in str(caught.value)
    assert not caught.value.retryable


@PLACES
def test_a_secrets_backend_may_not_have_been_reached(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.environment_variables.EnvironmentVariablesBackend")
    with pytest.raises(AlloincognitoSecretsBackendError) as caught:
        read_digest_key(reference)
    assert caught.value.retryable
    set_key(monkeypatch, "")
    with pytest.raises(AlloincognitoSettingsError, match="is empty"):
        read_digest_key(reference)


@pytest.mark.parametrize("reference", [KEY, "variable://", f"{KEY}://x", "variable:x", "", 5])
def test_what_is_no_reference_may_be_the_key(reference: str) -> None:
    with pytest.raises(AlloincognitoQueryError, match="does not say where the key is") as caught:
        read_digest_key(reference)
    assert KEY not in str(caught.value)

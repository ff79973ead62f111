"""A Connection, however it was written, as the settings and the token that it stands for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_alloincognito.api.settings import PROD_SERVER, TEST_SERVER, Settings
from airflow_provider_alloincognito.errors import AlloincognitoAuthError, AlloincognitoSettingsError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.sandbox import Sandbox

Write = Callable[..., Access]
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJwX3Rva2VuX2lkIjoiNzYifQ.c2lnbmF0dXJl"


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Have Airflow read a Connection, and give what it stands for."""

    def make(**connection: Any) -> Access:
        values = {"conn_type": "alloincognito", "password": TOKEN, **connection}
        monkeypatch.setenv("AIRFLOW_CONN_WRITTEN", json.dumps(values))
        return AlloincognitoHook("written").access

    return make


@pytest.mark.parametrize(
    ("connection", "stand"),
    [
        ({}, PROD_SERVER),
        ({"host": "", "port": 0, "schema": ""}, PROD_SERVER),
        ({"host": "test-webapi.alloincognito.ru"}, TEST_SERVER),
        ({"host": "https://test-webapi.alloincognito.ru:4431"}, TEST_SERVER),
        ({"host": "127.0.0.1", "port": 8080, "schema": "http"}, "http://127.0.0.1:8080"),
    ],
)
def test_a_host_is_a_stand(write: Write, connection: dict[str, Any], stand: str) -> None:
    assert write(**connection) == Access(Settings(server=stand), TOKEN)


def test_a_connection_may_be_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRITTEN", f"alloincognito://:{TOKEN}@stand.example:99/?timeout=5&verify=false")
    access = AlloincognitoHook("written").access
    assert access == Access(Settings(server="https://stand.example:99", timeout=5, verify=False), TOKEN)


@pytest.mark.parametrize("password", [f" {TOKEN}\n", f"Bearer {TOKEN}", f"  Bearer   {TOKEN} ", f"bearer\t{TOKEN}"])
def test_a_token_is_stripped(write: Write, password: str) -> None:
    assert write(password=password).authorization_token == TOKEN


def test_the_token_is_not_shown(write: Write) -> None:
    assert TOKEN not in repr(write())


@pytest.mark.parametrize("password", [None, "", "  ", "Bearer "])
def test_no_token_is_an_error_that_says_where_to_make_one(write: Write, password: str | None) -> None:
    with pytest.raises(AlloincognitoAuthError, match=r"'written' has no password.*personal account"):
        write(password=password)


@pytest.mark.parametrize("password", [f"{TOKEN[:20]}\n{TOKEN[20:]}", f"token {TOKEN}", "токен", f"{TOKEN}\x00"])
def test_what_cannot_be_a_token_is_an_error_without_it(write: Write, password: str) -> None:
    with pytest.raises(AlloincognitoAuthError, match="'written'") as caught:
        write(password=password)
    assert TOKEN[-20:] not in str(caught.value)
    assert "токен" not in str(caught.value)


def test_extras_are_texts_from_a_form_or_values_from_json(write: Write) -> None:
    expected = Settings(timeout=7, retries=2, auth_error_codes=("1", "2"), proxies={"https": "p:1"}, verify=False)
    texts = {"timeout": "7", "retries": "2", "auth_error_codes": "1, 2", "verify": "false"}
    texts["proxies"] = '{"https": "p:1"}'
    values = {"timeout": 7, "retries": 2, "auth_error_codes": [1, 2], "proxies": {"https": "p:1"}, "verify": False}
    assert write(extra=texts).settings == write(extra=values).settings == expected
    assert write(extra=json.dumps(texts)).settings == expected


def test_an_unknown_extra_warns(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write(extra={"numbers_feild": "phones"})
    assert "did you mean 'numbers_field'" in caplog.text


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"timezone": "Mars"}, "timezone"),
        ({"timeout": "-1"}, "timeout"),
        ({"period_end": "maybe"}, "period_end"),
        ({"verify": "/nowhere/ca.pem"}, "verify"),
        ({"create_path": "create"}, "create_path"),
    ],
)
def test_a_bad_value_names_the_setting(write: Write, extra: dict[str, Any], name: str) -> None:
    with pytest.raises(AlloincognitoSettingsError, match=name):
        write(extra=extra)


def test_an_unknown_token_store_is_an_error(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    hook = connect(sandbox, token_store="varaible")
    with pytest.raises(AlloincognitoSettingsError, match=r"token_store.*'variable'.*'memory'"):
        hook.get_conn()

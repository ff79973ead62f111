"""Settings and authorization token are read from every form of a Connection."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from traceback import TracebackException
from typing import Any

import pytest

from airflow_provider_alloincognito.api.settings import PROD_SERVER, TEST_SERVER, Settings
from airflow_provider_alloincognito.errors import AlloincognitoAuthError, AlloincognitoSettingsError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.hooks.connection import Access
from airflow_provider_alloincognito.hooks.shared import shared_async_client
from airflow_provider_alloincognito.sandbox import Sandbox

Write = Callable[..., Access]
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJwX3Rva2VuX2lkIjoiNzYifQ.c2lnbmF0dXJl"


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a Connection, and return what the hook reads from it."""

    def make(**connection: Any) -> Access:
        values = {"conn_type": "alloincognito", "password": TOKEN, **connection}
        monkeypatch.setenv("AIRFLOW_CONN_WRITTEN", json.dumps(values))
        return AlloincognitoHook("written").access

    return make


@pytest.mark.parametrize(
    ("connection", "server"),
    [
        ({}, PROD_SERVER),
        ({"host": "", "port": 0, "schema": ""}, PROD_SERVER),
        ({"host": "test-webapi.alloincognito.ru"}, TEST_SERVER),
        ({"host": "https://test-webapi.alloincognito.ru:4431"}, TEST_SERVER),
        ({"host": "127.0.0.1", "port": 8080, "schema": "http"}, "http://127.0.0.1:8080"),
    ],
)
def test_the_host_sets_the_server(write: Write, connection: dict[str, Any], server: str) -> None:
    assert write(**connection) == Access(Settings(server=server), TOKEN)


def test_a_connection_may_be_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRITTEN", f"alloincognito://:{TOKEN}@server.example:99/?timeout=5&verify=false")
    access = AlloincognitoHook("written").access
    assert access == Access(Settings(server="https://server.example:99", timeout=5, verify=False), TOKEN)


@pytest.mark.parametrize("password", [f" {TOKEN}\n", f"Bearer {TOKEN}", f"  Bearer   {TOKEN} ", f"bearer\t{TOKEN}"])
def test_spaces_and_bearer_are_removed_from_the_token(write: Write, password: str) -> None:
    assert write(password=password).authorization_token == TOKEN


def test_the_repr_does_not_show_the_token(write: Write) -> None:
    assert TOKEN not in repr(write())


@pytest.mark.parametrize("password", [None, "", "  ", "Bearer "])
def test_a_missing_token_is_an_error_that_says_where_to_make_one(write: Write, password: str | None) -> None:
    with pytest.raises(AlloincognitoAuthError, match=r"'written' has no password.*personal account"):
        write(password=password)


@pytest.mark.parametrize("password", [f"{TOKEN[:20]}\n{TOKEN[20:]}", f"token {TOKEN}", "токен", f"{TOKEN}\x00"])
def test_an_invalid_token_is_an_error_that_does_not_show_it(write: Write, password: str) -> None:
    with pytest.raises(AlloincognitoAuthError, match="'written'") as caught:
        write(password=password)
    assert TOKEN[-20:] not in str(caught.value)
    assert "токен" not in str(caught.value)


def test_extras_may_be_strings_from_the_form_or_json_values(write: Write) -> None:
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
        ({"create_path": "create"}, "create_path"),
    ],
)
def test_an_invalid_setting_is_named_in_the_error(write: Write, extra: dict[str, Any], name: str) -> None:
    with pytest.raises(AlloincognitoSettingsError, match=name):
        write(extra=extra)


def test_an_unknown_token_store_is_an_error(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    hook = connect(sandbox, token_store="varaible")
    with pytest.raises(AlloincognitoSettingsError, match=r"token_store.*'variable'.*'memory'"):
        hook.get_conn()


@pytest.mark.parametrize("use", ["access", "settings", "get_conn"])
def test_a_traceback_with_locals_does_not_show_the_token(write: Write, use: str) -> None:
    with pytest.raises(AlloincognitoSettingsError):
        write(extra={"token_store": "redis://x?password=y"})
    hook = AlloincognitoHook("written")
    with pytest.raises(AlloincognitoSettingsError) as caught:
        getattr(hook, use)()
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in "".join(shown.format())


def test_a_triggers_traceback_with_locals_does_not_show_the_token(write: Write) -> None:
    with pytest.raises(AlloincognitoSettingsError):
        write(extra={"token_store": "redis://x?password=y"})
    with pytest.raises(AlloincognitoSettingsError) as caught:
        asyncio.run(shared_async_client("written"))
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in "".join(shown.format())

"""Settings and authorization token are read from every form of a Connection."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from traceback import TracebackException
from typing import Any

import pytest
from masking import forget_secrets, masked

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
    with pytest.raises(AlloincognitoAuthError, match=r"^Connection 'written': .*has no password.*personal account"):
        write(password=password)


@pytest.mark.parametrize("password", [f"{TOKEN[:20]}\n{TOKEN[20:]}", f"token {TOKEN}", "токен", f"{TOKEN}\x00"])
def test_an_invalid_token_is_an_error_that_does_not_show_it(write: Write, password: str) -> None:
    with pytest.raises(AlloincognitoAuthError, match=r"^Connection 'written': The") as caught:
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


def test_a_proxy_may_be_just_its_url(write: Write) -> None:
    assert write(extra={"proxies": " http://proxy.example:3128"}).settings.proxies == {
        "all": "http://proxy.example:3128"
    }


OLD = {"token_store": "memory", "token_store_seconds": "0.5", "token_call_seconds": 2}
NEW = {"pair_store": "redis://tokens", "pair_store_seconds": 7, "pair_request_seconds": "8"}


def test_old_names_are_read_unless_the_new_ones_are_given(write: Write) -> None:
    old = Settings(pair_store="memory", pair_store_seconds=0.5, pair_request_seconds=2)
    assert write(extra=OLD).settings == old
    assert write(extra={**dict.fromkeys(NEW), **OLD}).settings == old, "Airflow 3's form saves empty fields, too"
    new = Settings(pair_store="redis://tokens", pair_store_seconds=7, pair_request_seconds=8)
    assert write(extra={**OLD, **NEW}).settings == write(extra={**NEW, **OLD}).settings == new


def test_no_setting_is_taken_for_a_secret_but_the_proxy(write: Write) -> None:
    """Airflow would show it as *** in the form, and each text like it in all logs."""
    forget_secrets()
    values = {name: f"value-of-{name}" for name in Settings.__struct_fields__ if name not in ("server", "proxies")}
    with pytest.raises(AlloincognitoSettingsError):
        write(extra={**values, "proxies": "http://user:hunter2@proxy.example"})
    for value in values.values():
        assert masked(value) == value
    assert "hunter2" not in masked("http://user:hunter2@proxy.example")


def test_the_fields_that_airflow_2_sends_twice_are_read_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    extra = {"extra__alloincognito__timezone": "Asia/Omsk", "timezone": "Asia/Omsk"}
    assert write(extra=extra).settings == Settings(timezone="Asia/Omsk")
    assert "Unknown extra" not in caplog.text


def test_an_unknown_extra_warns(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write(extra={"numbers_feild": "phones"})
    assert "did you mean 'numbers_field'" in caplog.text


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"timezone": "Mars"}, r"timezone \('Calls: Time zone' .*Europe/Moscow"),
        ({"timeout": "-1"}, r"timeout \('Network: Timeout \(s\)' .*a number of seconds above 0"),
        ({"period_end": "maybe"}, r"period_end \('Calls: End of a period' .*'unknown', 'inclusive' or 'exclusive'"),
        ({"create_path": "create"}, r"create_path \('Paths: New tokens' .*starts with a slash"),
        ({"retries": [[]]}, r"retries \('Network: Retries' .*a whole number"),
        ({"proxies": '{"https": '}, r"proxies \('Network: Proxy' .*JSON object from scheme to URL"),
        ({"proxies": "proxy.example/path"}, r"proxies \('Network: Proxy' .*not the address of a proxy"),
        ({"verify": "/nowhere"}, r"verify \('Network: Check the certificate' .*does not exist"),
        ({"test_makes_pair": "perhaps"}, r"test_makes_pair \('Token pair: Test may make a pair' .*true or false"),
        ([1], "extra is not a JSON object"),
    ],
)
def test_an_error_names_connection_setting_field_and_what_is_allowed(
    extra: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_WRITTEN",
        json.dumps({"conn_type": "alloincognito", "password": TOKEN, "extra": json.dumps(extra)}),
    )
    with pytest.raises(AlloincognitoSettingsError, match=rf"^Connection 'written': .*{name}"):
        AlloincognitoHook("written").get_conn()


def test_an_unknown_token_store_is_an_error(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    hook = connect(sandbox, pair_store="varaible")
    with pytest.raises(AlloincognitoSettingsError, match=r"pair_store.*'variable'.*'memory'"):
        hook.get_conn()


@pytest.mark.parametrize("use", ["access", "settings", "get_conn"])
def test_a_traceback_with_locals_does_not_show_the_token(write: Write, use: str) -> None:
    with pytest.raises(AlloincognitoSettingsError):
        write(extra={"pair_store": "redis://x?password=y"})
    hook = AlloincognitoHook("written")
    with pytest.raises(AlloincognitoSettingsError) as caught:
        getattr(hook, use)()
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in "".join(shown.format())


def test_a_triggers_traceback_with_locals_does_not_show_the_token(write: Write) -> None:
    with pytest.raises(AlloincognitoSettingsError):
        write(extra={"pair_store": "redis://x?password=y"})
    with pytest.raises(AlloincognitoSettingsError) as caught:
        asyncio.run(shared_async_client("written"))
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in "".join(shown.format())

"""A Connection's extras as settings, and the server's URL: ``api/settings.py``."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
import pytest
import requests
import rich.pretty
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.settings import PROD_SERVER, TEST_SERVER, Settings, read_settings, server_url
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError


def settings(**extra: Any) -> Settings:
    return read_settings(PROD_SERVER, extra)


@pytest.mark.parametrize(
    ("host", "port", "schema", "url"),
    [
        (None, None, None, PROD_SERVER),
        ("", 0, "", PROD_SERVER),
        ("  ", None, "https", PROD_SERVER),
        ("webapi.alloincognito.ru", None, None, PROD_SERVER),
        ("WebAPI.AlloIncognito.ru", 0, None, PROD_SERVER),
        ("https://webapi.alloincognito.ru:4431/", None, None, PROD_SERVER),
        ("https://webapi.alloincognito.ru", 4431, "https", PROD_SERVER),
        ("test-webapi.alloincognito.ru", None, None, TEST_SERVER),
        ("https://test-webapi.alloincognito.ru:4431/docs", None, None, TEST_SERVER),
        ("HTTPS://test-webapi.alloincognito.ru", None, None, TEST_SERVER),
        ("127.0.0.1", 8080, "http", "http://127.0.0.1:8080"),
        ("localhost:8080", None, "http", "http://localhost:8080"),
        ("http://localhost:8080", 9, "https", "http://localhost:8080"),
        ("http://localhost", None, None, "http://localhost:80"),
        ("server.example", None, None, "https://server.example:443"),
        ("http://webapi.alloincognito.ru", None, None, "http://webapi.alloincognito.ru:80"),
        ("http://[::1]:8080", None, None, "http://[::1]:8080"),
        ("::1", 8080, "http", "http://[::1]:8080"),  # as Airflow reads it from a URI
        ("[::1]", None, None, "https://[::1]:443"),
        ("https://[0:0::1]", None, None, "https://[::1]:443"),
        ("https://gateway.example/alloincognito", None, None, "https://gateway.example:443/alloincognito"),
        ("gateway.example:8443/a/b//", None, None, "https://gateway.example:8443/a/b"),
        ("https://gateway.example/a", 8443, None, "https://gateway.example:8443/a"),
        ("https://gateway.example/a/docs#/auth", None, None, "https://gateway.example:443/a"),
        ("https://gateway.example/a/api/v1/auth/integrationapi/create", None, None, "https://gateway.example:443/a"),
        ("https://gateway.example/docs-gateway", None, None, "https://gateway.example:443/docs-gateway"),
        ("https://gateway.example/шлюз", None, None, "https://gateway.example:443/%D1%88%D0%BB%D1%8E%D0%B7"),
        ("https://ПРИМЕР.рф", None, None, "https://xn--e1afmkfd.xn--p1ai:443"),
        ("xn--e1afmkfd.xn--p1ai", None, None, "https://xn--e1afmkfd.xn--p1ai:443"),
    ],
)
def test_a_server_has_one_url_however_it_is_written(host: Any, port: Any, schema: Any, url: str) -> None:
    assert server_url(host, port, schema) == url


@pytest.mark.parametrize(
    "host",
    [
        "ftp://server.example",
        "https://",
        "https:/server.example",
        "https://https://server.example",
        "https://me:secret@server.example",
        "https://:secret@server.example",
        "me@server.example",
        "https://server:port",
        "https://server:99999",
        "https://server.example?key=secret",
        "http://[::1",
        "https://::1",
        "http://[fe80::1%25eth0]",
        "server example",
        "server..example",
        "-server.example",
        "10.1.2.300",
        "xn--0.example",
        "https://server.example//secret",
        "https://server.example/../secret",
        "https://server.example/%2e%2e/secret",
        "https://server.example/100%",
        "https://server.example\\secret",
    ],
)
def test_an_invalid_server_is_an_error_without_secrets(host: str) -> None:
    with pytest.raises(AlloincognitoSettingsError, match="host") as caught:
        server_url(host)
    assert "secret" not in str(caught.value)


@given(st.text(alphabet=st.sampled_from("htps:/[]@.%?#\\ \n029_-éßпX;~"), max_size=20))
def test_any_host_is_an_error_or_a_url_that_both_libraries_take(host: str) -> None:
    try:
        server = server_url(host)
    except AlloincognitoSettingsError:
        return
    assert server_url(server) == server
    as_task = httpx.URL(str(requests.Request("GET", f"{server}/api").prepare().url))
    as_trigger = httpx.URL(f"{server}/api")
    assert as_task.host == as_trigger.host
    assert unquote(as_task.path) == unquote(as_trigger.path)


def test_texts_from_a_form_are_read() -> None:
    read = settings(
        timeout="12.5",
        retries="0",
        requests_per_second="3",
        max_response_bytes="1000",
        verify="False",
        auth_error_codes="401, 1001,",
        pending_error_codes="77",
        success_codes="0, OK",
        refresh_before_expiry="30",
        proxies='{"https": "http://proxy.example:3128"}',
        period_end="inclusive",
        null_rowset="pending",
    )
    assert read == Settings(
        timeout=12.5,
        retries=0,
        requests_per_second=3,
        max_response_bytes=1000,
        verify=False,
        auth_error_codes=("401", "1001"),
        pending_error_codes=("77",),
        success_codes=("0", "OK"),
        refresh_before_expiry=30,
        proxies={"https": "http://proxy.example:3128"},
        period_end="inclusive",
        null_rowset="pending",
    )


def test_values_from_json_are_read() -> None:
    read = settings(timeout=3, verify=True, auth_error_codes=[401, "x"], pending_error_codes=5, proxies={"http": "p"})
    assert read == Settings(timeout=3, auth_error_codes=("401", "x"), pending_error_codes=("5",), proxies={"http": "p"})
    assert settings(verify="/etc/ssl/server.pem").verify == "/etc/ssl/server.pem"
    assert settings(verify="true").verify is True


@given(
    st.dictionaries(st.sampled_from(sorted(set(Settings.__struct_fields__) - {"server"})), st.sampled_from(["", None]))
)
def test_an_empty_value_is_the_default(extra: dict[str, Any]) -> None:
    assert settings(**extra) == Settings()


def test_every_assumption_of_the_api_can_be_overridden() -> None:
    paths = {name: f"/other/{name}" for name in Settings.__struct_fields__ if name.endswith("_path")}
    assert len(paths) == 5
    read = settings(**paths, numbers_field="n", record_file_id_field="r", start_time_field="s", timezone="Asia/Omsk")
    assert {name: getattr(read, name) for name in paths} == paths
    assert (read.numbers_field, read.record_file_id_field, read.start_time_field) == ("n", "r", "s")
    assert read.zone.key == "Asia/Omsk"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "Moscow/Europe"),
        ("timezone", "../zones"),
        ("timezone", "Europe"),
        ("timeout", "soon"),
        ("timeout", 0),
        ("timeout", "-1"),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("pair_store_seconds", "0"),
        ("pair_request_seconds", -3),
        ("retries", -1),
        ("retries", "2.5"),
        ("requests_per_second", "-1"),
        ("requests_per_second", "nan"),
        ("max_response_bytes", -5),
        ("refresh_before_expiry", -5),
        ("period_end", "Inclusive"),
        ("null_rowset", "quiet"),
        ("proxies", '{"https": "http://user:secret@proxy"'),
        ("proxies", '["secret"]'),
        ("verify", ["secret"]),
        ("call_list_path", "api/v1/list"),
        ("create_path", "@elsewhere.example/create"),
        ("refresh_path", "https://elsewhere.example/refresh"),
        ("numbers_field", {"secret": 1}),
    ],
)
def test_an_invalid_value_is_an_error_that_names_the_setting_and_what_is_allowed(name: str, value: Any) -> None:
    with pytest.raises(AlloincognitoSettingsError, match=rf"setting {name} .* is invalid\. It must be ") as caught:
        settings(**{name: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("time_zone", "timezone"), ("call_list_paht", "call_list_path"), ("colour", None), ("server", None)],
)
def test_an_unknown_extra_is_logged_with_the_closest_setting(
    name: str, hint: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert settings(**{name: "a-secret"}) == Settings()
    assert repr(name) in caplog.text
    assert "a-secret" not in caplog.text
    if hint is not None:
        assert f"did you mean {hint!r}" in caplog.text


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().timeout = 5  # type: ignore[misc]
    assert msgspec.structs.replace(Settings(), timeout=5).timeout == 5


@pytest.mark.parametrize(
    "value",
    [
        "redis://:hunter2@cache.example:6379/0",
        "redis://user:hunter2@cache.example",
        "rediss://:hunter2@cache.example",
        "redis://cache.example:6379",
        "hunter2",
        "redis://",
        "redis://a b",
        "redis://redis\n",
    ],
)
def test_a_token_store_that_is_no_connection_is_an_error_that_does_not_quote_it(value: str) -> None:
    with pytest.raises(AlloincognitoSettingsError, match=r"pair_store.*'redis://<connection id>'") as raised:
        settings(pair_store=value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://user:hunter2@proxy.example:3128", "http://***@proxy.example:3128"),
        ("socks5://user:hunter2/@:hunter2@proxy.example", "socks5://***@proxy.example"),
        ("user:hunter2@proxy.example", "***@proxy.example"),
        ("//user:hunter2\n@proxy.example", "//***@proxy.example"),
    ],
)
def test_the_passwords_of_proxies_are_not_shown(url: str, shown: str) -> None:
    read = settings(proxies={"https": url})
    for text in (repr(read), str(read), f"{[read]}", rich.pretty.pretty_repr(read, max_width=10_000)):
        assert f"proxies={{'https': '{shown}'}}" in text
        assert "timeout=60.0" in text
    assert read.proxies == {"https": url}

"""Proxies, certificate authorities and failed connections are the same in tasks and triggers."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import ssl
import subprocess
import traceback
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import urllib3
from hypothesis import example, given, strategies as st
from plain_server import CREATE_PATH, RESULT_PATH, PlainServer, Said

from airflow_provider_alloincognito.api import methods
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport import network
from airflow_provider_alloincognito.api.transport.async_client import AsyncClient
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.api.transport.failures import no_response_error
from airflow_provider_alloincognito.api.transport.network import Network
from airflow_provider_alloincognito.errors import (
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoNetworkSetupError,
    AlloincognitoSettingsError,
)

SERVER = "https://server.example:4431"
PROXY = "http://proxy.example:3128"
QUICK: dict[str, Any] = {"pair_store_seconds": 0.02, "pair_request_seconds": 1.0, "retries": 0, "timeout": 2.0}
OPENSSL = shutil.which("openssl")
Start = Callable[..., PlainServer]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in network.CA_VARIABLES:
            monkeypatch.delenv(name)
    network._warn_once.cache_clear()


def outcome(url: str, **options: Any) -> int | AlloincognitoError:
    """Send a request as a task and as a trigger, and return the status or the error that both end with."""
    as_task, as_trigger = outcomes(url, **options)
    assert (type(as_task), str(as_task)) == (type(as_trigger), str(as_trigger))
    return as_task


def outcomes(url: str, **options: Any) -> list[int | AlloincognitoError]:
    settings = Settings(server=url, **{**QUICK, **options})
    request = methods.request_result(settings, "h==")

    def keeper() -> PairKeeper:
        return PairKeeper(settings, "an-authorization-token", locking=True)

    def as_task() -> int:
        client = Client(settings, MemoryTokenStore(), keeper())
        try:
            response = client.open(request)
            response.close()
            return response.status
        finally:
            client.close()

    async def as_trigger() -> int:
        client = AsyncClient(settings, MemoryTokenStore(), keeper())
        try:
            return (await client.head(request)).status
        finally:
            await client.close()

    ends: list[int | AlloincognitoError] = []
    for run in (as_task, lambda: asyncio.run(as_trigger())):
        try:
            ends.append(run())
        except AlloincognitoError as error:
            ends.append(error)
    return ends


def proxy_of(server: str = SERVER, **proxies: str) -> str | None:
    proxy = network.resolve(Settings(server=server, proxies=proxies)).proxy
    return proxy and proxy.url


# Proxies


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other.example"}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"all_proxy": "http://other.example", "HTTPS_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": " "}, None),
        ({"HTTPS_PROXY": f" {PROXY}/\n"}, PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ({"HTTPS_PROXY": "http://proxy.example"}, "http://proxy.example:80"),
        ({"HTTPS_PROXY": "https://[fd00::1]"}, "https://[fd00::1]:443"),
        ({"HTTPS_PROXY": "junk://[", "NO_PROXY": "server.example"}, None),
    ],
)
def test_the_environment_names_the_proxy(
    environment: dict[str, str], url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of() == url


@pytest.mark.parametrize(
    ("host", "exceptions", "is_one"),
    [
        ("server.example", "server.example", True),
        ("server.example", "other.example, SERVER.example ", True),
        ("server.example", ".example", True),
        ("server.example", "example", True),
        ("server.example", "*.example", True),
        ("server.example", "https://server.example", True),
        ("server.example", "localhost,*", True),
        ("server.example", "localhost server.example", True),
        ("server.example", "server.example:4431", True),
        ("server.example", "server.example:443", False),
        ("server.example", "ver.example", False),
        ("server.example", "10.0.0.0/8,fd00::/8,,", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:4431", True),
        ("10.1.2.3", "10.1.2.3:80", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "11.0.0.0/8,fd07:b51a:cc66:f0::/64,[::1]", False),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00::1]", True),
        ("[fd00::1]", "[fd00::1]:4431", True),
        ("[fd00::1]", "[fd00::1]:80", False),
        ("[fd00::1]", "fd00:0::0:1", True),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "fe80::/10,10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_exceptions(host: str, exceptions: str, is_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert proxy_of(f"https://{host}:4431") == (None if is_one else PROXY)


def test_the_setting_is_stronger_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://other.example")
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_of(https=PROXY) == proxy_of(all=PROXY) == PROXY
    assert proxy_of(all="http://other.example", https=PROXY) == PROXY
    assert proxy_of(http=PROXY) is None


@pytest.mark.parametrize(
    "proxies",
    [
        {"https": ""},
        {"https": "http://["},
        {"https": "http:// /"},
        {"https": "http://:3128"},
        {"https": "http://proxy.example:99999"},
        {"https": "http://proxy.example:0"},
        {"https": "ftp://proxy.example"},
        {"https": "ws://proxy.example"},
        {"https": f"{PROXY}/path"},
        {"https": "http://user:sec/ret@proxy.example:3128"},
        {"https": "http://user:sec#ret@proxy.example:3128"},
        {"no_proxy": "server.example"},
        {"http://user:secret@proxy.example": "https"},
        {"https": PROXY, "http": "junk://"},
    ],
)
def test_a_setting_that_is_no_proxy_is_an_error_that_names_it(proxies: dict[str, str]) -> None:
    with pytest.raises(AlloincognitoSettingsError, match="setting proxies") as caught:
        proxy_of(**proxies)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://user:canary@[", "http://user:canary@proxy.example/path", "ftp://:canary@a"])
def test_no_traceback_with_locals_shows_a_proxys_password(url: str) -> None:
    with pytest.raises(AlloincognitoSettingsError) as caught:
        network.resolve(Settings(server=SERVER, proxies={"https": url}))
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [frame for frame in frames if frame.filename != __file__]
    assert "canary" not in "".join(map(str, (frame.locals for frame in ours)))


def test_a_variable_that_is_no_proxy_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://user:sec/ret@proxy.example:3128")
    with pytest.raises(AlloincognitoSettingsError, match="variable all_proxy") as caught:
        proxy_of()
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("user:secret", b"user:secret"),
        ("user", b"user:"),
        ("user:", b"user:"),
        ("user:%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C", "user:пароль".encode()),
        ("user:пароль", "user:пароль".encode()),
        ("user:caf%C3%A9", "user:café".encode()),
        ("user:caf%E9", "user:café".encode("latin-1")),
        ("user:a%40b%3Ac", b"user:a@b:c"),
        ("user:a@b", b"user:a@b"),
        ("user:100%", b"user:100%"),
    ],
)
def test_a_login_is_sent_as_it_is_written(login: str, sent: bytes) -> None:
    proxy = network.resolve(Settings(server=SERVER, proxies={"https": f"http://{login}@proxy.example:3128"})).proxy
    assert proxy is not None
    assert b64decode(proxy.headers["Proxy-Authorization"].removeprefix("Basic ")) == sent
    assert proxy.url == PROXY
    assert "Basic" not in repr(proxy)


@given(st.text(alphabet=st.sampled_from("htps:/[]@.%?#\\ \n019_-é#пx;"), max_size=20), st.booleans())
@example("a%0a:b", True)
def test_any_text_is_a_proxy_that_both_libraries_take_or_an_error(text: str, has_login: bool) -> None:
    value = f"http://user:canary@{text}" if has_login else text
    try:
        proxy = network.resolve(Settings(server=SERVER, proxies={"https": value})).proxy
    except AlloincognitoSettingsError as error:
        text = str(error)
    else:
        assert proxy is not None
        httpx.Proxy(proxy.url, headers=proxy.headers)
        urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers)
        text = repr(proxy)
    assert "canary" not in text


def test_a_socks_proxy_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:canary@proxy.example")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AlloincognitoSettingsError, match=r"ALL_PROXY .*pip install PySocks socksio") as caught:
        proxy_of()
    assert "canary" not in str(caught.value)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert proxy_of() == "socks5h://user:canary@proxy.example:1080"


def test_a_proxy_that_wants_a_login_says_so(plain_server: Start) -> None:
    server = "http://127.0.0.1:9"
    proxy = plain_server({f"{server}{CREATE_PATH}": Said(b"", 407)})
    error = outcome(server, proxies={"all": proxy.url.replace("//", "//user:canary@")})
    assert isinstance(error, AlloincognitoError)
    assert "407" in str(error)
    assert "canary" not in str(error)


# Certificate authorities


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(authority: trustme.CA, tmp_path: Path) -> Path:
    """A folder of usable and unusable files."""
    certificate = authority.cert_pem.bytes()
    files = {
        "ca.pem": certificate,
        "several.pem": trustme.CA().cert_pem.bytes() + certificate,
        "key.pem": authority.private_key_pem.bytes(),
        "empty.pem": b"",
        "text.pem": b"this is no certificate",
        "binary.cer": ssl.PEM_cert_to_DER_cert(certificate.decode()),
        "damaged.pem": certificate.replace(b"M", b"\n", 20),
        "plain/ca.pem": certificate,
        "hashed/ca.pem": certificate,
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    if OPENSSL:
        subprocess.run([OPENSSL, "rehash", tmp_path / "hashed"], check=True)
    return tmp_path


@pytest.fixture
def tls_server(authority: trustme.CA, plain_server: Start) -> PlainServer:
    return plain_server(tls=server_side(authority.issue_cert("127.0.0.1")))


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


SOURCES = ["verify", *network.CA_VARIABLES]


def outcome_trusting(url: str, source: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> int | AlloincognitoError:
    if source == "verify":
        return outcome(url, verify=str(path))
    monkeypatch.setenv(source, str(path))
    return outcome(url)


@pytest.mark.parametrize(
    "name",
    [
        "ca.pem",
        "several.pem",
        pytest.param("hashed", marks=pytest.mark.skipif(not OPENSSL, reason="openssl names the files")),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_authorities_are_read(
    source: str, name: str, tls_server: PlainServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome_trusting(tls_server.url, source, folder / name, monkeypatch) == 200


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.pem", "does not exist"),
        ("key.pem", "PEM form"),
        ("empty.pem", "PEM form"),
        ("text.pem", "PEM form"),
        ("binary.cer", "PEM form"),
        ("damaged.pem", "PEM form"),
        ("plain", "openssl rehash"),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_what_holds_no_authorities_is_an_error_that_names_it(
    source: str, name: str, problem: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = outcome_trusting(SERVER, source, folder / name, monkeypatch)
    assert isinstance(error, AlloincognitoSettingsError)
    assert all(word in str(error) for word in (source, str(folder / name), problem))


def test_the_first_source_counts(tls_server: PlainServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in network.CA_VARIABLES[1:]:
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv(network.CA_VARIABLES[0], str(folder / "ca.pem"))
    assert outcome(tls_server.url) == 200
    monkeypatch.setenv(network.CA_VARIABLES[0], "/nowhere")
    assert outcome(tls_server.url, verify=str(folder / "ca.pem")) == 200


def test_only_the_named_authorities_are_trusted(folder: Path) -> None:
    """Requests would add its own to a context of ours."""
    settings = Settings(server=SERVER, verify=str(folder / "ca.pem"), proxies={"https": PROXY})
    client = Client(settings, MemoryTokenStore(), PairKeeper(settings, "a-token", locking=True))
    adapter = client._session.get_adapter(SERVER)
    for pool in (adapter.poolmanager, adapter.proxy_manager_for(PROXY)):  # type: ignore[attr-defined]
        connection = pool.connection_from_url(SERVER)
        adapter.cert_verify(connection, SERVER, verify=True, cert=None)  # type: ignore[attr-defined]
        assert connection.ca_certs is None
        assert connection.conn_kw["ssl_context"].cert_store_stats()["x509"] == 1
    client.close()


def test_without_tls_no_authorities_are_read(plain_server: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    assert outcome(plain_server().url) == 200


# What failed


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unknown issuer", "no authority"),
        ("unknown root", "self-signed root"),
        ("self-signed", "self-signed"),
        ("expired", "expired"),
        ("not yet valid", "not valid yet"),
        ("another address", "another IP address"),
        ("no intermediate", "no authority"),
        ("client certificate", "client certificate"),
    ],
)
def test_an_error_of_tls_says_why(
    kind: str, reason: str, authority: trustme.CA, plain_server: Start, folder: Path
) -> None:
    now = datetime.now(UTC)
    context = server_side(authority.issue_cert("127.0.0.1"))
    match kind:
        case "unknown issuer":
            context = server_side(trustme.CA().issue_cert("127.0.0.1"))
        case "unknown root":
            other = trustme.CA()
            context = chain(folder, other.issue_cert("127.0.0.1"), other.cert_pem)
        case "self-signed":
            other = trustme.CA()
            (folder / "own.pem").write_bytes(other.private_key_pem.bytes() + other.cert_pem.bytes())
            context.load_cert_chain(folder / "own.pem")
        case "expired":
            context = server_side(authority.issue_cert("127.0.0.1", not_after=now - timedelta(days=1)))
        case "not yet valid":
            late = now + timedelta(days=1)
            context = server_side(authority.issue_cert("127.0.0.1", not_before=late, not_after=late + timedelta(1)))
        case "another address":
            context = server_side(authority.issue_cert("10.1.2.3"))
        case "no intermediate":
            context = chain(folder, authority.create_child_ca().issue_cert("127.0.0.1"))
        case _:
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2
    error = outcome(plain_server(tls=context).url, verify=str(folder / "ca.pem"), retries=4)
    assert isinstance(error, AlloincognitoNetworkSetupError)
    assert not error.transient
    assert all(word in str(error) for word in (reason, "verify", "docs/network.md"))


def test_a_demand_for_a_client_certificate_is_named_even_if_the_alert_is_lost(
    authority: trustme.CA, plain_server: Start, folder: Path
) -> None:
    """With TLS 1.3 the server's alert races with the end of the connection."""
    context = server_side(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    for error in outcomes(plain_server(tls=context).url, verify=str(folder / "ca.pem")):
        assert isinstance(error, AlloincognitoConnectionError)
        assert "client certificate" in str(error)


def chain(folder: Path, leaf: trustme.LeafCert, *others: trustme.Blob) -> ssl.SSLContext:
    """Send a certificate with these others, not with those that it needs."""
    parts = (leaf.private_key_pem, leaf.cert_chain_pems[0], *others)
    (folder / "chain.pem").write_bytes(b"".join(part.bytes() for part in parts))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem")
    return context


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("https://127.0.0.1:1", "connection refused"),
        ("http://no-such-host.invalid:80", "could not be resolved"),
    ],
)
def test_a_failed_connection_says_why(server: str, reason: str) -> None:
    error = outcome(server)
    assert isinstance(error, AlloincognitoConnectionError)
    assert error.transient
    assert reason in str(error)
    through = outcome(SERVER, proxies={"all": server.replace("//", "//user:canary@")}, verify=False)
    assert isinstance(through, AlloincognitoConnectionError)
    assert reason in str(through)
    assert f"through the proxy {server.partition('//')[2]}" in str(through)
    assert "canary" not in str(through)


def test_a_failed_connection_is_named_without_its_text() -> None:
    reached = Network(SERVER, None, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    text = str(no_response_error("getcalllist", reached, OSError("http://server?requestHash=secret")))
    assert "OSError" in text
    assert SERVER in text
    assert "secret" not in text


@pytest.mark.parametrize("target", ["http://localhost:port/x", "//", "http://127.0.0.1:9/api"])
def test_a_redirect_is_an_error_wherever_it_leads(target: str, plain_server: Start) -> None:
    error = outcome(plain_server({RESULT_PATH: Said(b"", 302, {"Location": target})}).url)
    assert isinstance(error, AlloincognitoError)
    assert "302" in str(error)


# What is not secure


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_unencrypted_connection_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    outcome("http://127.0.0.1:1")
    outcome("http://[::1]:1")
    outcome("http://localhost:1")
    assert warnings_of(caplog) == []
    for _ in range(2):
        outcome("http://server.example:80", proxies={"all": "http://127.0.0.1:1"})
    (warning,) = warnings_of(caplog)
    assert "http://server.example:80 is not encrypted" in warning


def test_a_connection_that_is_not_checked_warns_once(tls_server: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """The tests make errors of warnings: urllib3 says nothing besides."""
    for _ in range(2):
        assert outcome(tls_server.url, verify=False) == 200
    (warning,) = warnings_of(caplog)
    assert "verify=false" in warning

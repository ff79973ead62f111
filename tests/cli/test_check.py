"""The command ``check``: each thing that can be wrong is said with its fix, and no running task loses its pair."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from canary import assert_no_leak
from plain_server import PlainServer, Said

from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Any]
CHECKS = ["Proxy", "DNS", "TCP", "TLS", "/docs", "Token", "Token store", "Token pair"]
DOCS = {"/docs": Said(b"<html></html>")}
TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
NO_PROXY = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check_host(cli: Cli, tmp_path: Path) -> Cli:
    """Check a host with a token, without Airflow."""
    file = tmp_path / "token"

    def check(url: str, *more: object, token: str = TOKEN) -> Any:
        file.write_text(f"{token}\n")
        return cli("check", "--host", url, "--token-file", file, "--set", "pair_store=memory", "-o", "json", *more)

    return check


def rotations(sandbox: Sandbox) -> int:
    return sandbox.count("create") + sandbox.count("refresh")


def test_all_is_well(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    ran = cli("check", "-o", "json")
    assert ran.code == 0
    assert ran.checks == dict.fromkeys(CHECKS, "ok")
    assert "A trial entry could be written" in ran.finding("Token store")
    assert "accepts the stored token pair" in ran.finding("Token pair")
    assert rotations(sandbox) == 0


def test_for_people(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    ran = cli("check")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok"] * len(CHECKS)


def test_a_wrong_host(check_host: Cli) -> None:
    ran = check_host("https://webapi.alloincognito.invalid:4431")
    assert ran.code == 1
    assert ran.checks["DNS"] == "failed"
    assert "could not be resolved" in ran.finding("DNS")
    assert "typo" in ran.finding("DNS")
    assert not {"TCP", "TLS", "/docs"} & ran.checks.keys()


def test_a_wrong_port_or_a_missing_proxy(check_host: Cli) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ran = check_host(f"https://127.0.0.1:{port}")
    assert ran.code == 1
    text = ran.finding("TCP")
    assert "connection refused" in text
    assert "4431" in text
    assert "HTTPS_PROXY" in text
    assert "No proxy is used" in ran.finding("Proxy")


def test_a_firewall_that_drops_everything(check_host: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            ran = check_host(f"http://127.0.0.1:{full.getsockname()[1]}", "--set", "timeout=0.5")
        finally:
            for one in waiting:
                one.close()
    assert ran.code == 1
    assert "timed out" in ran.finding("TCP")
    assert "HTTP_PROXY" in ran.finding("TCP")


def test_a_proxy_that_is_not_there(check_host: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret-word@127.0.0.1:{free.getsockname()[1]}")
    ran = check_host("https://webapi.alloincognito.ru:4431")
    assert ran.checks["TCP"] == "failed"
    assert "The proxy is that of the setting proxies" in ran.finding("TCP")
    assert "secret-word" not in ran.out + ran.err


@pytest.mark.parametrize("target", ["/docs/", "/swagger/index.html"])
def test_docs_may_be_elsewhere_on_the_server(check_host: Cli, plain_server: Cli, target: str) -> None:
    server = plain_server({"/docs": Said(b"", 302, {"Location": target}), target: Said(b"<html></html>")})
    assert check_host(server.url).checks["/docs"] == "ok"


@pytest.mark.parametrize(
    ("target", "said"),
    [("https://login.example/sso?from=docs", "another server, https://login.example:443."), ("/docs", "status 302")],
)
def test_docs_that_redirect_elsewhere_or_without_end(
    check_host: Cli, plain_server: Cli, target: str, said: str
) -> None:
    server = plain_server({"/docs": Said(b"", 302, {"Location": target})})
    ran = check_host(server.url)
    assert ran.checks["/docs"] == "warning"
    assert said in ran.finding("/docs")
    assert len(server.asked) <= 6


# TLS


@pytest.fixture
def start_tls(plain_server: Cli) -> Cli:
    """Start a server with a certificate; takes the authority and the certificate's arguments."""

    def start(authority: trustme.CA, host: str = "127.0.0.1", **certificate: Any) -> PlainServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host, **certificate).configure_cert(context)
        return plain_server(DOCS, tls=context)

    return start


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[trustme.CA, Path]:
    authority = trustme.CA(organization_name="Telephony Ltd")
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


def test_an_unknown_authority(check_host: Cli, start_tls: Cli) -> None:
    ran = check_host(start_tls(trustme.CA(organization_name="Nobody Ltd")).url)
    assert ran.code == 1
    text = ran.finding("TLS")
    assert "no authority that this machine trusts" in text
    assert "signed by" in text
    assert "Nobody Ltd" in text
    assert "verify" in text


def test_an_authority_of_ones_own(check_host: Cli, start_tls: Cli, bundle: tuple[trustme.CA, Path]) -> None:
    ran = check_host(start_tls(bundle[0]).url, "--set", f"verify={bundle[1]}")
    assert ran.checks["TLS"] == "ok"
    assert "Telephony Ltd" in ran.finding("TLS")
    assert str(bundle[1]) in ran.finding("TLS")
    assert ran.checks["/docs"] == "ok"


@pytest.mark.parametrize(("days", "outcome"), [(-1, "failed"), (20, "warning"), (60, "ok")])
def test_the_end_of_a_certificate(
    days: int, outcome: str, check_host: Cli, start_tls: Cli, bundle: tuple[trustme.CA, Path]
) -> None:
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    server = start_tls(bundle[0], not_before=end - timedelta(days=90), not_after=end)
    ran = check_host(server.url, "--set", f"verify={bundle[1]}")
    assert ran.checks["TLS"] == outcome
    assert f"valid until {end:%Y-%m-%d %H:%M} UTC" in ran.finding("TLS")
    assert ("has expired" in ran.finding("TLS")) == (days < 0)
    assert ("ends in 20 days" in ran.finding("TLS")) == (days == 20)


def test_a_certificate_for_another_host(check_host: Cli, start_tls: Cli, bundle: tuple[trustme.CA, Path]) -> None:
    ran = check_host(start_tls(bundle[0], host="elsewhere.example").url, "--set", f"verify={bundle[1]}")
    assert ran.checks["TLS"] == "failed"
    assert "Check --host" in ran.finding("TLS")


def test_a_certificate_that_is_not_checked(check_host: Cli, start_tls: Cli) -> None:
    ran = check_host(start_tls(trustme.CA()).url, "--set", "verify=false")
    assert ran.checks["TLS"] == "warning"
    assert "not checked" in ran.finding("TLS")


def test_plain_http_where_tls_was_meant(check_host: Cli, sandbox: Sandbox) -> None:
    ran = check_host(sandbox.url.replace("http:", "https:"))
    assert ran.checks["TLS"] == "failed"
    assert "plain http" in ran.finding("TLS")


# Tokens


def test_a_malformed_token(check_host: Cli, sandbox: Sandbox) -> None:
    ran = check_host(sandbox.url, token="opaque")
    assert ran.checks["Token"] == "warning"
    assert "Copy the whole token again" in ran.finding("Token")
    ran = check_host(sandbox.url, token="two words")
    assert ran.code == 1
    assert "space" in ran.finding("Connection")
    assert rotations(sandbox) == 0


SIGNED = {
    alg: f"{encoded}.eyJleHAiOjQwMDAwMDAwMDB9."
    for alg, encoded in {
        "HS256": "eyJhbGciOiJIUzI1NiJ9",
        "RS256": "eyJhbGciOiJSUzI1NiJ9",
        "XX1": "eyJhbGciOiJYWDEifQ",
    }.items()
}


@pytest.mark.parametrize(
    ("token", "outcome"),
    [
        (SIGNED["HS256"] + 43 * "s", "ok"),
        (SIGNED["RS256"] + 342 * "s", "ok"),
        (SIGNED["RS256"] + 512 * "s", "ok"),
        (SIGNED["XX1"] + "s", "ok"),
        (SIGNED["HS256"] + 42 * "s", "warning"),
        (SIGNED["RS256"] + 341 * "s", "warning"),
        (SIGNED["RS256"] + 513 * "s", "warning"),
        (SIGNED["RS256"], "warning"),
        (SIGNED["RS256"][:30], "warning"),
        (SIGNED["RS256"][:10], "warning"),
    ],
)
def test_a_shortened_token(check_host: Cli, sandbox: Sandbox, token: str, outcome: str) -> None:
    ran = check_host(sandbox.url, token=token)
    assert ran.checks["Token"] == outcome
    assert ("looks shortened" in ran.finding("Token")) == (outcome == "warning")


def test_a_token_that_has_ended(check_host: Cli, sandbox: Sandbox) -> None:
    ran = check_host(sandbox.url, token="eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE2MzE5ODE4MDN9.c2ln")
    assert ran.code == 1
    assert "expired on 2021-09-18" in ran.finding("Token")
    assert "Make a new one" in ran.finding("Token")
    assert rotations(sandbox) == 0


@pytest.mark.parametrize("end", ["kill_pair", "expire_pair", "remake_authorization_token"])
def test_a_pair_that_is_not_accepted_is_not_replaced(end: str, cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    getattr(sandbox, end)()
    ran = cli("check", "-o", "json")
    assert ran.code == 0
    assert ran.checks["Token pair"] == "warning"
    assert "no longer accepts the stored token pair" in ran.finding("Token pair")
    assert rotations(sandbox) == 0


def test_a_refused_token(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    sandbox.remake_authorization_token()
    ran = cli("check", "--make-pair", "-o", "json")
    assert ran.code == 1
    assert "does not accept the authorization token" in ran.finding("Token pair")
    assert "personal account" in ran.finding("Token pair")


def test_an_accepted_pair_is_kept_even_with_make_pair(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    assert cli("check", "--make-pair", "-o", "json").checks["Token pair"] == "ok"
    assert rotations(sandbox) == 0


def test_a_setting_of_the_connection_makes_no_pair(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    """Only ``--make-pair`` does, since whoever runs a command may not know the setting."""
    pair_in_redis(sandbox, test_makes_pair=True)
    sandbox.expire_pair()
    assert cli("check", "-o", "json").checks["Token pair"] == "warning"
    assert rotations(sandbox) == 0


# The token store


def test_a_store_that_cannot_be_written(
    cli: Cli, sandbox: Sandbox, pair_in_redis: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    import redis

    pair_in_redis(sandbox)
    client = redis.Redis.from_url(os.environ["AIRFLOW_CONN_PAIRS"])
    client.replicaof("127.0.0.1", "1")  # a replica is read-only
    ran = cli("check", "-o", "json")
    assert ran.code == 1
    assert ran.checks["Token store"] == "failed"
    assert "trial entry could not be written" in ran.finding("Token store")
    assert "'pairs'" in ran.finding("Token store")
    assert rotations(sandbox) == 0


def test_a_store_that_is_not_there(cli: Cli, sandbox: Sandbox, connect: Callable[..., None]) -> None:
    connect(sandbox, pair_store="redis://missing")
    ran = cli("check", "-o", "json")
    assert ran.code == 1
    assert "no Connection that pair_store names" in ran.finding("Token store")


# The Connection


def test_a_connection_that_is_not_there(cli: Cli, airflow_database: None) -> None:
    ran = cli("check", "--conn-id", "nowhere", "-o", "json")
    assert ran.code == 1
    assert "Connection 'nowhere': There is no Connection with this id" in ran.finding("Connection")


def test_a_setting_is_overridden(cli: Cli, sandbox: Sandbox, connect: Callable[..., None]) -> None:
    connect(sandbox)
    ran = cli("check", "--set", "timezone=Mars/Olympus", "-o", "json")
    assert "timezone" in ran.finding("Connection")


def test_no_token_is_an_argument(cli: Cli) -> None:
    ran = cli("check", "--host", "http://127.0.0.1:9", "--token", TOKEN)
    assert ran.code == 2
    assert "--token-file" in ran.err
    assert TOKEN not in ran.out + ran.err


def test_a_token_from_the_environment(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOINCOGNITO_TOKEN", sandbox.authorization_token)
    ran = cli("check", "--host", sandbox.url, "--set", "pair_store=memory", "-o", "json")
    assert ran.checks["Token"] == "ok"


def test_a_missing_token_is_wrong_usage(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOINCOGNITO_TOKEN", raising=False)
    ran = cli("check", "--host", sandbox.url, "-o", "json")
    assert ran.code == 2
    assert "--token-file" in ran.document["error"]["message"]


def test_stdout_holds_the_document_alone(cli: Cli, sandbox: Sandbox, pair_in_redis: Cli) -> None:
    pair_in_redis(sandbox)
    ran = cli("check", "-o", "json", "-v")
    assert json.loads(ran.out)
    assert_no_leak(sandbox, "2025-06-02", "2025-06-03", ran.out, ran.err)

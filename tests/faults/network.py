"""FAULTS B: proxies, certificates, addresses. Tasks and triggers must do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from entry import CONNECTION_ERROR, SETTINGS_ERROR, TRUTH, Entry, Expect, Proxy, Seen, Tls, ids
from raw_server import DOCS, LIST, RESULT, Reply

KINDS = {
    "B1": (
        "Proxies in the environment and in the Connection, in every form",
        "Tasks and triggers use the same one, or `AlloincognitoSettingsError` names the setting",
    ),
    "B2": (
        "Certificate authorities in the environment and in the Connection",
        "Tasks and triggers trust the same ones; a file that is none is an error",
    ),
    "B3": (
        "A certificate that is not trusted",
        "An error that says why (self-signed, unknown issuer, wrong name, expired) and names `verify`",
    ),
    "B4": (
        "A host with a path, an IPv6 address, a `.netrc`, a redirect",
        "The path is kept; no login and no token goes astray",
    ),
    "B5": ("A connection that is not encrypted or not checked", "One warning"),
}

BOTH = {"task": "list_calls", "trigger": "trigger"}


def _both(name: str, *, expect: Expect = TRUTH, **given: Any) -> Iterator[Entry]:
    for who, call in BOTH.items():
        arguments = {"seconds": 3.0} if call == "trigger" else {}
        extra = {"retries": 0, **given.get("extra", {})}
        yield Entry(id=f"{name}-{who}", call=call, arguments=arguments, expect=expect, **{**given, "extra": extra})


def _through(seen: Seen) -> str | None:
    return None if seen.proxied or seen.error else "The proxy was not used."


def _past(seen: Seen) -> str | None:
    return "The proxy was used." if seen.proxied else None


def _login(login: str) -> Callable[[Seen], str | None]:
    def check(seen: Seen) -> str | None:
        if seen.error:
            return None
        sent = {one.login for one in seen.proxied}
        return None if sent == {login} else "The proxy did not get the login."

    return check


THROUGH = Expect(truth=True, check=_through)
PAST = Expect(truth=True, check=_past)
REFUSED = Expect(error=SETTINGS_ERROR, says=("proxies",), seconds=5, final=True)
EITHER = Expect(truth=True, error=SETTINGS_ERROR, says=("prox",), seconds=6)


def b1() -> Iterator[Entry]:
    proxy = Proxy()
    environment = {"HTTP_PROXY": "<proxy>", "http_proxy": "<proxy>"}
    yield from _both("B1-environment", proxy=proxy, environment=environment, expect=THROUGH)
    yield from _both("B1-all-proxy", proxy=proxy, environment={"ALL_PROXY": "<proxy>"}, expect=THROUGH)
    yield from _both("B1-setting", proxy=proxy, extra={"proxies": {"http": "<proxy>"}}, expect=THROUGH)
    for name, value in (
        ("name", "127.0.0.1"),
        ("cidr", "127.0.0.0/8"),
        ("ipv6-cidr", "fd07:b51a:cc66:f0::/64,127.0.0.1"),
        ("ipv6", "[::1],127.0.0.1"),
        ("port", "127.0.0.1:<port>"),
        ("star", "*"),
        ("blanks", " 127.0.0.1 , localhost"),
    ):
        yield from _both(
            f"B1-no-proxy-{name}",
            proxy=proxy,
            environment={**environment, "NO_PROXY": value, "no_proxy": value},
            expect=PAST,
        )
    yield from _both(
        "B1-no-proxy-for-others",
        proxy=proxy,
        environment={**environment, "NO_PROXY": "10.0.0.0/8,.example,[fd00::1]"},
        expect=THROUGH,
    )
    yield from _both(
        "B1-setting-and-no-proxy",
        proxy=proxy,
        extra={"proxies": {"http": "<proxy>"}},
        environment={"NO_PROXY": "127.0.0.1"},
        expect=THROUGH,
    )
    yield from _both(
        "B1-socks-in-environment",
        environment={"ALL_PROXY": "socks5://127.0.0.1:1"},
        expect=Expect(error=SETTINGS_ERROR, says=("socks", "ALL_PROXY"), seconds=5, final=True),
    )
    yield from _both(
        "B1-socks-setting",
        extra={"proxies": {"http": "socks5://127.0.0.1:1"}},
        expect=Expect(error=SETTINGS_ERROR, says=("socks", "proxies"), seconds=5, final=True),
    )
    yield from _both(
        "B1-without-scheme",
        proxy=proxy,
        extra={"proxies": {"http": "127.0.0.1:<proxy port>"}},
        expect=Expect(truth=True, error=SETTINGS_ERROR, says=("proxies",), check=_through),
    )
    for name, value in (("junk", "http://["), ("blank", "http:// /"), ("port", "http://127.0.0.1:99999")):
        yield from _both(f"B1-{name}", extra={"proxies": {"http": value}}, expect=REFUSED)
    yield from _both("B1-empty", extra={"proxies": {"http": ""}}, expect=EITHER)
    yield from _both("B1-key-no-proxy", extra={"proxies": {"no_proxy": "127.0.0.1"}}, expect=EITHER)
    for name, password, login in (
        ("cyrillic", "%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C", "user:пароль"),
        ("accent", "caf%C3%A9", "user:café"),
        ("at-sign", "a%40b%3Ac", "user:a@b:c"),
    ):
        yield from _both(
            f"B1-password-{name}",
            proxy=proxy,
            extra={"proxies": {"http": f"http://user:{password}@127.0.0.1:<proxy port>"}},
            expect=Expect(
                truth=True, error=SETTINGS_ERROR, says=("prox",), check=_login(login), never_says=(password, login[5:])
            ),
        )
    for name, says in (
        ("407", b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
        ("403", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    ):
        yield from _both(
            f"B1-proxy-says-{name}-to-connect",
            tls=Tls(),
            proxy=Proxy(says=says),
            extra={"proxies": {"https": "<proxy>"}, "verify": "<ca>"},
            expect=Expect(error=CONNECTION_ERROR, says=("proxy", name), seconds=6),
        )
    yield from _both(
        "B1-proxy-refused",
        extra={"proxies": {"http": "http://user:proxy-canary@127.0.0.1:1"}},
        expect=Expect(
            error=(CONNECTION_ERROR, "AlloincognitoWaitTimeout"),
            says=("proxy", "refused"),
            never_says=("proxy-canary",),
            seconds=6,
        ),
    )
    yield from _both(
        "B1-connect",
        tls=Tls(),
        proxy=proxy,
        extra={"proxies": {"https": "<proxy>"}, "verify": "<ca>"},
        expect=Expect(truth=True, check=_no_token_for_the_proxy),
    )


def _no_token_for_the_proxy(seen: Seen) -> str | None:
    if not seen.proxied:
        return "The proxy was not used."
    return "The proxy was sent a token." if any("authorization" in one.headers for one in seen.proxied) else None


def b2() -> Iterator[Entry]:
    yield from _both("B2-setting", tls=Tls(), extra={"verify": "<ca>"})
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        yield from _both(f"B2-{name}", tls=Tls(), environment={name: "<ca>"})
        yield from _both(
            f"B2-{name}-no-file",
            tls=Tls(),
            environment={name: "/nonexistent/ca.pem"},
            expect=Expect(error=SETTINGS_ERROR, says=(name, "/nonexistent/ca.pem"), seconds=5, final=True),
        )
    yield from _both(
        "B2-verify-no-pem",
        tls=Tls(),
        extra={"verify": "<folder>/no.pem"},
        prepare="no_pem",
        expect=Expect(error=SETTINGS_ERROR, says=("verify", "no.pem"), seconds=5, final=True),
    )
    yield from _both(
        "B2-verify-no-file",
        tls=Tls(),
        extra={"verify": "/nonexistent/ca.pem"},
        expect=Expect(error=SETTINGS_ERROR, says=("verify",), seconds=5, final=True),
    )
    yield Entry(
        id="B2-setting-connection-test", call="test_connection", tls=Tls(), extra={"verify": "<ca>"}, expect=TRUTH
    )
    yield Entry(
        id="B2-environment-connection-test",
        call="test_connection",
        tls=Tls(),
        environment={"SSL_CERT_FILE": "<ca>"},
        expect=TRUTH,
    )


def b3() -> Iterator[Entry]:
    reasons: dict[str, tuple[str | tuple[str, ...], ...]] = {
        "self-signed": (("self-signed", "self signed"), "verify"),
        "unknown issuer": (("issuer", "authority"), "verify"),
        "wrong name": (("name", "host", "IP address"), "verify"),
        "expired": ("expired", "verify"),
    }
    for kind, says in reasons.items():
        name = kind.replace(" ", "-")
        yield from _both(
            f"B3-{name}",
            tls=Tls(kind=kind),  # type: ignore[arg-type]
            extra={"verify": "<ca>"},
            expect=Expect(error=CONNECTION_ERROR, says=says, seconds=6),
        )
        yield Entry(
            id=f"B3-{name}-connection-test",
            call="test_connection",
            tls=Tls(kind=kind),  # type: ignore[arg-type]
            extra={"verify": "<ca>"},
            expect=Expect(error="ConnectionTestFailed", says=says, seconds=6),
        )
    yield Entry(
        id="B3-self-signed-recordings",
        call="recordings",
        tls=Tls(kind="self-signed"),
        extra={"verify": "<ca>", "retries": 4},
        arguments={"ids": ids(100), "concurrency": 16},
        expect=Expect(error=CONNECTION_ERROR, says=(("self-signed", "self signed"),), seconds=15),
    )


def b4() -> Iterator[Entry]:
    yield from _both("B4-host-with-a-path", prefix="/alloincognito")
    yield from _both("B4-host-with-a-path-and-slash", prefix="/gateway/alloincognito", host="<url>/")
    yield Entry(
        id="B4-host-with-a-path-connection-test",
        call="test_connection",
        prefix="/alloincognito",
        expect=Expect(truth=True, check=lambda seen: None if "responds." in str(seen.value) else str(seen.value)),
    )
    yield from _both("B4-ipv6", listens_on="::1")
    yield from _both("B4-ipv6-in-a-uri", listens_on="::1", uri=True)
    yield Entry(
        id="B4-netrc-connection-test",
        call="test_connection",
        prepare="netrc",
        expect=Expect(truth=True, check=_no_login),
    )
    yield from _both("B4-netrc", prepare="netrc", expect=Expect(truth=True, check=_no_login))
    elsewhere = Reply(status=302, headers={"Location": "http://localhost:9/elsewhere"})
    nowhere = Reply(status=302, headers={"Location": "http://localhost:port/elsewhere"})
    yield Entry(
        id="B4-redirect-task",
        call="list_calls",
        server={LIST: elsewhere},
        expect=Expect(error="AlloincognitoError", says=("302",), seconds=5, most={LIST: 1}),
    )
    yield Entry(
        id="B4-redirect-trigger",
        call="trigger",
        server={RESULT: elsewhere},
        expect=Expect(error="AlloincognitoError", says=("302",), seconds=5, most={RESULT: 1}),
    )
    yield Entry(
        id="B4-redirect-to-no-url-trigger",
        call="trigger",
        server={RESULT: nowhere},
        expect=Expect(error="AlloincognitoError", says=("302",), seconds=5, most={RESULT: 1}),
    )
    yield Entry(
        id="B4-docs-not-there-connection-test",
        call="test_connection",
        server={DOCS: Reply(status=404)},
        arguments={"has_pair": True},
        expect=TRUTH,
    )
    yield Entry(
        id="B4-docs-down-connection-test",
        call="test_connection",
        server={DOCS: Reply(status=502, body=b"<html>bad gateway</html>")},
        expect=Expect(truth=True, error="ConnectionTestFailed", says=("502",)),
    )


def _no_login(seen: Seen) -> str | None:
    sent = [one.headers.get("authorization", "") for one in seen.requests]
    return "The login of .netrc was sent." if any(value.startswith("Basic") for value in sent) else None


def b5() -> Iterator[Entry]:
    yield from _both(
        "B5-http-to-another-host",
        proxy=Proxy(),
        host="http://api.example:8080",
        extra={"proxies": {"http": "<proxy>"}},
        expect=Expect(truth=True, logs=("http://",), check=_through),
    )
    yield from _both("B5-verify-false", tls=Tls(), extra={"verify": False}, expect=Expect(truth=True, logs=("verify",)))
    yield from _both("B5-http-on-loopback", expect=Expect(truth=True, check=_no_warning))


def _no_warning(seen: Seen) -> str | None:
    found = [text for level, text in seen.logs if level == "WARNING" and "http://" in text]
    return f"A needless warning: {found[0]}" if found else None


NETWORK = [*b1(), *b2(), *b3(), *b4(), *b5()]

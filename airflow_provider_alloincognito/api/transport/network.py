"""
Proxies and certificate authorities, once for both transports, and what a failed connection means.

A client speaks to one server. So its proxy and its TLS context are decided once, from the settings or else from the
environment, and neither ``requests`` nor ``httpx`` looks at the environment again.
"""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import logging
import os
import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import certifi

from airflow_provider_alloincognito.api.settings import DEFAULT_PORTS, Settings, canonical_host, setting_name
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError
from airflow_provider_alloincognito.scrubbing import without_locals

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
SOCKS_PACKAGES = {"socks": "PySocks", "socksio": "socksio"}
"""By the name of their module: what requests and httpx need for a SOCKS proxy."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")
VARIABLE = "The environment variable {}"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proxy:
    """
    A proxy.

    :param address: host and port, for errors.
    :param url: what the transports are given; without a login, unless it is a SOCKS proxy.
    :param headers: the login.
    """

    address: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    @property
    def has_tls(self) -> bool:
        """Whether the connection to the proxy itself is encrypted."""
        return self.url.startswith("https:")


@dataclass(frozen=True)
class Network:
    """
    How one server is reached.

    :param server: the settings' server.
    :param proxy: None if it is reached directly.
    :param tls: which certificates are trusted.
    """

    server: str
    proxy: Proxy | None
    tls: ssl.SSLContext


@without_locals()
def resolve(settings: Settings) -> Network:
    """
    Decide how to reach the server. Warns once in a process if the way is not secure.

    :raises AlloincognitoSettingsError: if a setting or an environment variable cannot be used; it says which.
    """
    proxy = _proxy(settings)
    server = urlsplit(settings.server)
    if server.scheme == "http" and not is_loopback(server.hostname or ""):
        _warn_once(
            f"The connection to {settings.server} is not encrypted: anybody on the way can read tokens and calls. "
            "Let the host of the AlloIncognito Connection begin with https:// instead of http://"
        )
    has_tls = server.scheme == "https" or (proxy is not None and proxy.has_tls)
    return Network(settings.server, proxy, _tls(settings, has_tls=has_tls))


def _proxy(settings: Settings) -> Proxy | None:
    server = urlsplit(settings.server)
    host, scheme = server.hostname or "", server.scheme
    if not settings.proxies.keys() <= {"http", "https", "all"}:
        raise AlloincognitoSettingsError(
            f"{setting_name('proxies')} has a key other than http, https and all. To reach a server without the "
            "proxy of the environment, name the server in the environment variable NO_PROXY: see docs/network.md."
        )
    given = {key: _parse_proxy(value, setting_name("proxies")) for key, value in settings.proxies.items()}
    if scheme in given or "all" in given:
        return given.get(scheme) or given["all"]
    environment = getproxies_environment()
    if _is_exception(host, server.port, environment.get("no", "")):
        return None
    for key in (scheme, "all"):
        if value := environment.get(key, "").strip():
            name = f"{key}_proxy"
            return _parse_proxy(value, VARIABLE.format(name if name in os.environ else name.upper()))
    return None


def _parse_proxy(value: str, source: str) -> Proxy:
    url = value.strip() if "://" in value else f"http://{value.strip()}"
    try:
        parts = urlsplit(url)
        host = canonical_host(parts.hostname or "")
        port = PROXY_PORTS[parts.scheme] if parts.port is None else parts.port
        # A password with a slash would end the host, and what follows become a path.
        if not port or (parts.path, parts.query, parts.fragment) not in (("", "", ""), ("/", "", "")):
            raise ValueError
    except (KeyError, ValueError):
        raise AlloincognitoSettingsError(
            f"{source} is not the address of a proxy. It must be a URL such as http://proxy.example:3128 or "
            "http://USER:PASSWORD@proxy.example:3128. Percent-encode special characters of the user name and the "
            "password, such as %2F for a slash: see docs/network.md."
        ) from None
    address = f"{host}:{port}"
    login = parts.netloc.rpartition("@")[0]
    if parts.scheme.startswith("socks"):
        _require_socks(source)
        # With socks5, requests would resolve names here, and httpx at the proxy.
        return Proxy(address, f"socks5h://{login}{'@' * bool(login)}{address}", {})
    name, _, password = login.partition(":")
    basic = b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode()
    return Proxy(address, f"{parts.scheme}://{address}", {"Proxy-Authorization": f"Basic {basic}"} if login else {})


def _require_socks(source: str) -> None:
    if missing := [name for module, name in SOCKS_PACKAGES.items() if importlib.util.find_spec(module) is None]:
        raise AlloincognitoSettingsError(
            f"{source} names a SOCKS proxy, for which a package is missing here. Install it on all workers and the "
            f"triggerer with: pip install {' '.join(missing)}. Or use a proxy whose URL begins with http://."
        )


def _is_exception(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` has the host: by name, suffix, ``*``, address or network, with a port or without."""
    entries = re.split(r"[\s,]+", no_proxy.lower())
    if "*" in entries:
        return True
    names = ",".join(entry.rpartition("://")[2].removeprefix("*") for entry in entries)
    bracketed = f"[{host}]" if ":" in host else host
    if proxy_bypass_environment(f"{bracketed}:{port}", {"no": names}):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for entry in entries if (network := _network(entry)) is not None)


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None  # a name


def origin(url: str) -> str:
    """Return the scheme, host and port of an address."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@functools.cache
def _warn_once(text: str) -> None:
    log.warning(text)


def _tls(settings: Settings, *, has_tls: bool) -> ssl.SSLContext:
    if settings.verify is False:
        if has_tls:
            _warn_once(
                f"verify=false: the certificate of {settings.server} is not checked, so anybody on the way can read "
                "and change tokens and calls. Set verify to the path of a CA bundle instead: see docs/network.md"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if isinstance(settings.verify, str):
        return _trusting(settings.verify, setting_name("verify"))
    if not has_tls:  # reading the authorities takes longer than a request
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in CA_VARIABLES:
        if path := os.environ.get(name):
            return _trusting(path, VARIABLE.format(name))
    return ssl.create_default_context(cafile=certifi.where())


def trusted_authorities(settings: Settings) -> str:
    """Return which authorities are trusted to sign the server's certificate, for people."""
    if isinstance(settings.verify, str):
        return f"the authorities in {settings.verify} (setting verify)"
    for name in CA_VARIABLES:
        if path := os.environ.get(name):
            return f"the authorities in {path} (environment variable {name})"
    return "a known public authority"


def _trusting(path: str, source: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a file, or of a folder (of several, with colons)."""
    folders = [folder for folder in path.split(os.pathsep) if os.path.isdir(folder)]
    try:
        if folders:
            has_some = any(HASHED_NAME.fullmatch(name) for folder in folders for name in os.listdir(folder))
            context = ssl.create_default_context(capath=path)
        else:
            context = ssl.create_default_context(cafile=path)
            has_some = context.cert_store_stats()["x509"] > 0  # a file may hold nothing but revocations
    except ssl.SSLError:
        raise _unusable(source, path, "is not a file of certificates in PEM form") from None
    except FileNotFoundError:
        raise _unusable(source, path, "does not exist on this machine") from None
    except (OSError, ValueError) as error:
        raise _unusable(source, path, f"cannot be read ({type(error).__name__})") from None
    if not has_some:
        raise _unusable(source, path, "holds no certificate (in a folder, 'openssl rehash' gives them their names)")
    return context


def _unusable(source: str, path: str, problem: str) -> AlloincognitoSettingsError:
    return AlloincognitoSettingsError(
        f"{source} names {path!r}, which {problem}. Name a PEM file with the certificates of the authorities to trust "
        "(or a folder of them), which must exist on every worker and triggerer: see docs/network.md."
    )

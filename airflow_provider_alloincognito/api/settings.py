"""Every assumption about the API, by name, with the default that its text suggests."""

from __future__ import annotations

import difflib
import ipaddress
import logging
import math
import re
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from airflow_provider_alloincognito.api.mapping import ApiMapping, read_mapping
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError
from airflow_provider_alloincognito.get_provider_info import CONNECTION_LABELS

PROD_SERVER = "https://webapi.alloincognito.ru:4431"
TEST_SERVER = "https://test-webapi.alloincognito.ru:4431"
API_PORT = 4431
DEFAULT_PORTS = {"https": 443, "http": 80}
LAST_PORT = 65535
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")
LONGEST_LABEL = 63
FOUR_NUMBERS = re.compile(r"\d+(\.\d+){3}")
# What users copy along with the server's address.
OWN_PATH = re.compile(r"/(docs|api/v1)(/.*)?$")
GATEWAY_PATH = re.compile(r"(/(?!(\.|%2e){1,2}(/|$))([^/%]|%[0-9a-f]{2})+)*", re.IGNORECASE)
PATH_SETTINGS = {
    "getcalllist": "call_list_path",
    "create": "create_path",
    "refresh": "refresh_path",
    "getcallrecordfile": "record_file_path",
    "getrequestresultbyhash": "request_result_path",
}
PATHS = tuple(PATH_SETTINGS.values())
SECONDS = ("timeout", "response_timeout", "pair_store_seconds", "pair_request_seconds")
NOT_NEGATIVE = ("retries", "requests_per_second", "max_response_bytes", "refresh_before_expiry")
# A URL with a host and a password in it would be taken for the id of a Connection, and shown as one.
PAIR_STORE = re.compile(r"variable|memory|redis://[^\s/:@?#]+/?")
# Airflow takes an extra with "token" in its name for a secret: it shows *** in the form and in every log that has the
# value, be it a 1.
OLD_NAMES = {
    "token_store": "pair_store",
    "token_store_seconds": "pair_store_seconds",
    "token_call_seconds": "pair_request_seconds",
}
# What comes before the host of a proxy: a user and a password.
LOGIN = re.compile(r"^(?P<scheme>[^@/]*//)?.*@", re.DOTALL)
# What errors say of a setting that is not just a text.
ALLOWED = {
    **dict.fromkeys(PATHS, "a path on the server that starts with a slash"),
    **dict.fromkeys(SECONDS, "a number of seconds above 0"),
    "timezone": "an IANA time zone, such as 'Europe/Moscow'",
    "period_end": "'unknown', 'inclusive' or 'exclusive'",
    "pair_store": "'variable', 'redis://<connection id>' or 'memory'. Host and password of a Redis belong in its own "
    "Connection",
    "null_rowset": "'empty' or 'pending'",
    "audio_formats": "a list of 'mp3', 'wav' and 'ogg'",
    "refresh_before_expiry": "a number of seconds, 0 or more",
    "retries": "a whole number, 0 or more",
    "requests_per_second": "a number, 0 (no limit) or more",
    "max_response_bytes": "a whole number, 0 (no limit) or more",
    "verify": "true, false or the path of a CA bundle",
    "proxies": "the URL of a proxy, such as http://proxy.example:3128, or a JSON object from scheme to URL, such as "
    '{"https": "http://proxy.example:3128"}',
    "test_makes_pair": "true or false",
}

log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """
    What a client must know about a server. "Assumed" marks what the API's text does not say.

    :param server: scheme, host and port of the server, and the path of a gateway. From the API's text.
    :param call_list_path: path of the call list. Assumed: missing in the text.
    :param create_path: path that makes a token pair. From the API's text.
    :param refresh_path: path that renews a token pair. The prefix ``/api/v1`` is assumed: the text omits it.
    :param record_file_path: path of a recording. From the API's text.
    :param request_result_path: path of the result by hash. From the API's text.
    :param numbers_field: the field of the call list's body that contains the numbers. Assumed.
    :param record_file_id_field: the row's field with the id of its recording. Assumed.
    :param start_time_field: the row's field with the call's start. If set, only rows of the exact period are kept.
    :param api_mapping: how the server's API differs from the API's text otherwise: verbs, bodies, names, places.
    :param timezone: IANA zone of all times without a zone. Assumed.
    :param period_end: whether ``periodEnd`` is inside the period: ``unknown``, ``inclusive`` or ``exclusive``.
    :param auth_error_codes: ``errorCode`` values that mean "your token is not valid" with HTTP 200. Assumed.
    :param pending_error_codes: ``errorCode`` values that mean "not ready yet". None are known.
    :param success_codes: ``errorCode`` values that mean success, whatever ``errorMessage`` says. Without it a code of 0
        or none is a success unless it comes with a message other than "OK". None are known.
    :param null_rowset: what ``rowset: null`` means: ``empty`` (no calls) or ``pending``. Assumed.
    :param audio_formats: what a recording may be: ``mp3``, which is from the API's text, ``wav`` and ``ogg``. Anything
        else fails.
    :param refresh_before_expiry: seconds before the access token's expiry at which to renew it; by default a tenth of
        its life, at most 10 minutes.
    :param pair_store: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param pair_store_seconds: the longest one call to the token store takes, in seconds, for the rotation protocol.
    :param pair_request_seconds: the usual time of one ``create`` or ``refresh``, in seconds, for the rotation protocol.
    :param test_makes_pair: whether the connection test may make a token pair, where it can be stored.
    :param timeout: seconds to wait for a connection, and for each further part of a response.
    :param response_timeout: seconds that one whole response may take, however slowly it comes.
    :param retries: how often to send a request again after an error that passes by itself: see ``docs/waiting.md``.
    :param requests_per_second: limit on the requests of one client; 0 is no limit. None is known.
    :param max_response_bytes: a longer response is an error; 0 is no limit.
    :param verify: how to check the server's certificate: true, false, or the path of a CA bundle.
    :param proxies: ``http``, ``https`` or ``all`` to proxy URL, as for ``requests``.
    :raises AlloincognitoSettingsError: if a value is invalid. It names the setting and what is allowed.
    """

    server: str = PROD_SERVER
    call_list_path: str = "/api/v1/request/getcalllist"
    create_path: str = "/api/v1/auth/integrationapi/create"
    refresh_path: str = "/api/v1/auth/integrationapi/refresh"
    record_file_path: str = "/api/v1/request/getcallrecordfile"
    request_result_path: str = "/api/v1/request/getrequestresultbyhash"
    numbers_field: str = "numbers"
    record_file_id_field: str = "recordFileId"
    start_time_field: str | None = None
    api_mapping: ApiMapping = ApiMapping()
    timezone: str = "Europe/Moscow"
    period_end: Literal["unknown", "inclusive", "exclusive"] = "unknown"
    auth_error_codes: tuple[str, ...] = ("401", "403")
    pending_error_codes: tuple[str, ...] = ()
    success_codes: tuple[str, ...] = ()
    null_rowset: Literal["empty", "pending"] = "empty"
    audio_formats: tuple[Literal["mp3", "wav", "ogg"], ...] = ("mp3",)
    refresh_before_expiry: float | None = None
    pair_store: str = "variable"
    pair_store_seconds: float = 1.0
    pair_request_seconds: float = 3.0
    test_makes_pair: bool = False
    timeout: float = 60.0
    response_timeout: float = 1800.0
    retries: int = 4
    requests_per_second: float = 0.0
    max_response_bytes: int = 0
    verify: bool | str = True
    proxies: dict[str, str] = {}

    def __post_init__(self) -> None:
        valid = {
            **{name: 0 < getattr(self, name) < math.inf for name in SECONDS},
            **{name: 0 <= (getattr(self, name) or 0) < math.inf for name in NOT_NEGATIVE},
            # Anything else would become part of the URL's host, which the token is sent to.
            **{name: getattr(self, name).startswith("/") for name in PATHS},
            "pair_store": PAIR_STORE.fullmatch(self.pair_store) is not None,
        }
        for name, is_valid in valid.items():
            if not is_valid:
                raise _invalid(name)
        for method, name in PATH_SETTINGS.items():
            if problem := self.api_mapping.path_problem(method, self.path_of(method)):
                raise AlloincognitoSettingsError(f"{setting_name(name)} is invalid: {problem}.")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _invalid("timezone") from None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each setting, without the passwords of proxies."""
        proxies = {scheme: LOGIN.sub(r"\g<scheme>***@", url) for scheme, url in self.proxies.items()}
        return [(name, proxies if name == "proxies" else getattr(self, name)) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def replace(self, **changes: Any) -> Settings:
        """Return the same settings with some changes."""
        return msgspec.structs.replace(self, **changes)

    def path_of(self, method: str) -> str:
        """Return the path of a method, by the method's name in the API's text."""
        path: str = getattr(self, PATH_SETTINGS[method])
        return path

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of all times without a zone."""
        return ZoneInfo(self.timezone)


def read_settings(server: str, extra: Mapping[str, Any]) -> Settings:
    """
    Read the settings from a Connection's extras.

    :param server: as :func:`server_url` returns it.
    :param extra: names and values, from JSON or from the form's text fields; empty values mean the default.
    :raises AlloincognitoSettingsError: if a value is invalid. It names the setting and what is allowed.
    """
    types = _types()
    values: dict[str, Any] = {}
    for name, value in _given(extra).items():
        if name not in types:
            close = difflib.get_close_matches(name, types, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            log.warning("Unknown extra %r in the AlloIncognito Connection, ignored%s", name, hint)
            continue
        try:
            values[name] = _converted(name, value, types[name])
        except (msgspec.ValidationError, msgspec.DecodeError):
            raise _invalid(name) from None
    return Settings(server=server, **values)


@cache  # each trigger reads its Connection, and each look of a watcher
def _types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "server"}


def _converted(name: str, value: Any, kind: Any) -> Any:
    if name == "api_mapping":
        try:
            return read_mapping(value)
        except ValueError as error:
            raise AlloincognitoSettingsError(f"{setting_name(name)} is invalid: {error}.") from None
    return msgspec.convert(_from_form(name, value), kind, strict=False)


def setting_name(name: str) -> str:
    """Return what errors call a setting: its name, and its label in the form."""
    return f"The setting {name} ({CONNECTION_LABELS[name]!r} in the Connection's form)"


def _invalid(name: str) -> AlloincognitoSettingsError:
    return AlloincognitoSettingsError(f"{setting_name(name)} is invalid. It must be {ALLOWED.get(name, 'a text')}.")


def _given(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extras that are not empty, by their present names. If an old name is there too, it loses."""
    given = {name: value for name, value in extra.items() if value is not None and value != ""}
    for old, new in OLD_NAMES.items():
        if old in given:
            given.setdefault(new, given.pop(old))
    return given


def _from_form(name: str, value: Any) -> Any:
    """Convert a form's text: a list with commas, a URL or a mapping in JSON, true or false."""
    if name in ("auth_error_codes", "pending_error_codes", "success_codes", "audio_formats"):
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return [str(part).strip() for part in parts if str(part).strip()]
    if name == "proxies" and isinstance(value, str):
        return msgspec.json.decode(value) if value.lstrip().startswith(("{", "[", '"')) else {"all": value.strip()}
    if name in ("verify", "test_makes_pair") and (text := str(value).strip().lower()) in ("true", "false"):
        return text == "true"
    return value


def server_url(host: str | None = None, port: int | None = None, schema: str | None = None) -> str:
    """
    Return a server's scheme, host, explicit port and path: the same text however a Connection spells it.

    :param host: empty for the PROD environment; a URL, or a host name. The path of a gateway is kept; that of the
        API's own pages and methods is removed, since users copy it along.
    :param port: the port, unless the host contains one; 0 and None mean the default.
    :param schema: ``https`` by default.
    :raises AlloincognitoSettingsError: if it is not a valid http(s) address.
    """
    host = (host or "").strip()
    if not host:
        return PROD_SERVER
    try:
        if _is_ipv6(host):  # of a Connection's URI, which has lost its brackets
            host = f"[{host}]"
        parts = urlsplit(host if "://" in host else f"{(schema or 'https').strip()}://{host}")
        address = f"{parts.scheme}://{canonical_host(parts.hostname or '')}"
        path = OWN_PATH.sub("", quote(parts.path, safe="/%:@!$&'()*+,;=~")).rstrip("/")
        if "@" in parts.netloc or parts.query or not GATEWAY_PATH.fullmatch(path):
            raise ValueError
        if parts.hostname in DEFAULT_PORTS:  # of https:/host, or of https://https://host
            raise ValueError
        is_known = f"{address}:{API_PORT}" in (PROD_SERVER, TEST_SERVER)
        known_port = parts.port or port or (API_PORT if is_known else DEFAULT_PORTS[parts.scheme])
        if parts.scheme not in DEFAULT_PORTS or not 0 < known_port <= LAST_PORT:
            raise ValueError
    except (KeyError, ValueError):
        raise AlloincognitoSettingsError(
            "The Connection's host is not a valid server address. Leave it empty for the PROD "
            f"environment, or set it to a URL such as {TEST_SERVER} (http or https, followed by the path of a gateway "
            "if there is one; no user, password or query in it)."
        ) from None
    return f"{address}:{known_port}{path}"


def canonical_host(host: str) -> str:
    """
    Return a host as it stands in a URL: lower case, an IPv6 address in brackets, a name in ASCII.

    :param host: a name or an address, without brackets.
    :raises ValueError: if it is neither.
    """
    if _is_ipv6(host):
        return f"[{ipaddress.IPv6Address(host)}]"
    name = host.lower()
    if not name.isascii() or "xn--" in name:
        import idna  # as both transports do; few hosts need it

        name = idna.encode(name, uts46=True).decode()
    if FOUR_NUMBERS.fullmatch(name):
        return str(ipaddress.IPv4Address(name))
    if not HOST_NAME.fullmatch(name) or ".." in name or max(map(len, name.split("."))) > LONGEST_LABEL:
        raise ValueError
    return name


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False

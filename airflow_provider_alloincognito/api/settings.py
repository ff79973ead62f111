"""Every assumption about the API, by name, with the default that its text suggests."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from airflow_provider_alloincognito.errors import AlloincognitoSettingsError

PROD_SERVER = "https://webapi.alloincognito.ru:4431"
TEST_SERVER = "https://test-webapi.alloincognito.ru:4431"

PATHS = ("call_list_path", "create_path", "refresh_path", "record_file_path", "request_result_path")
DEFAULT_PORTS = {"https": 443, "http": 80}

log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """
    What a client must know about a server. "Assumed" marks what the API's text leaves open.

    :param server: scheme, host and port of the server. From the API's text.
    :param call_list_path: path of the call list, asked for by POST. Assumed: the text lost it.
    :param create_path: path that makes a pair. From the API's text.
    :param refresh_path: path that renews a pair. The text writes it without ``/api/v1``; the prefix is assumed.
    :param record_file_path: path of a recording. From the API's text.
    :param request_result_path: path of the result by hash. From the API's text.
    :param numbers_field: the call list's field for numbers. Assumed.
    :param record_file_id_field: the row's field with the id of its recording. Assumed.
    :param start_time_field: the row's field with the call's start. When set, rows are cut to the period exactly.
    :param timezone: IANA zone of all times without a zone. Assumed.
    :param period_end: is ``periodEnd`` inside the period: ``unknown``, ``inclusive`` or ``exclusive``.
    :param auth_error_codes: ``errorCode`` values that mean "your token is not valid" in an HTTP 200. Assumed.
    :param pending_error_codes: ``errorCode`` values that mean "not ready yet". None are known.
    :param null_rowset: what ``rowset: null`` means: ``empty`` (a quiet day) or ``pending``. Assumed.
    :param refresh_before_expiry: seconds before the access token's end at which it is renewed; default a tenth
        of its life, at most 10 minutes.
    :param token_store: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param token_store_seconds: bound on one call to the token store, for the rotation protocol.
    :param token_call_seconds: usual bound on one ``create`` or ``refresh``, for the rotation protocol.
    :param timeout: seconds to wait for a connection, and for each further part of an answer.
    :param retries: how often a request is sent again after a connection fault, 429, 502, 503 or 504.
    :param requests_per_second: ceiling on requests of one client; 0 is none. No limit is known.
    :param max_response_bytes: an answer longer than this is refused; 0 is no limit.
    :param verify: check the server's certificate: true, false, or the path of a CA bundle.
    :param proxies: scheme to proxy URL, as ``requests`` takes it.
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
    timezone: str = "Europe/Moscow"
    period_end: Literal["unknown", "inclusive", "exclusive"] = "unknown"
    auth_error_codes: tuple[str, ...] = ("401", "403")
    pending_error_codes: tuple[str, ...] = ()
    null_rowset: Literal["empty", "pending"] = "empty"
    refresh_before_expiry: float | None = None
    token_store: str = "variable"
    token_store_seconds: float = 1.0
    token_call_seconds: float = 3.0
    timeout: float = 60.0
    retries: int = 4
    requests_per_second: float = 0.0
    max_response_bytes: int = 0
    verify: bool | str = True
    proxies: dict[str, str] = {}

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise AlloincognitoSettingsError(
                f"Setting timezone: {self.timezone!r} is no IANA time zone. Use one such as 'Europe/Moscow'."
            ) from error
        for name in ("timeout", "token_store_seconds", "token_call_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise AlloincognitoSettingsError(f"Setting {name} is a number of seconds above 0.")
        for name in ("retries", "requests_per_second", "max_response_bytes"):
            if not 0 <= getattr(self, name) < math.inf:
                raise AlloincognitoSettingsError(f"Setting {name} cannot be negative; 0 means none.")
        if self.refresh_before_expiry is not None and not 0 <= self.refresh_before_expiry < math.inf:
            raise AlloincognitoSettingsError("Setting refresh_before_expiry is a number of seconds, 0 or more.")
        for name in PATHS:
            # Anything else would end up in the URL's host, and the token with it.
            if not getattr(self, name).startswith("/"):
                raise AlloincognitoSettingsError(f"Setting {name} is a path on the server and begins with a slash.")

    def replace(self, **changes: Any) -> Settings:
        """The same settings but for some."""
        return msgspec.structs.replace(self, **changes)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of all times without a zone."""
        return ZoneInfo(self.timezone)


def read_settings(server: str, extra: Mapping[str, Any]) -> Settings:
    """
    Turn a Connection's extras into settings.

    :param server: a canonical server.
    :param extra: names and values, as JSON or as a form gives them; empty ones mean the default.
    :raises AlloincognitoSettingsError: if a value cannot be used. It names the setting.
    """
    known = set(Settings.__struct_fields__) - {"server"}
    values: dict[str, Any] = {}
    for name, value in extra.items():
        if name not in known:
            _warn_of_unknown(name, known)
        elif value is not None and value != "":
            values[name] = _as_given(name, value)
    try:
        return msgspec.convert({**values, "server": server}, Settings, strict=False)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, AlloincognitoSettingsError):
            raise error.__cause__ from None
        raise AlloincognitoSettingsError(f"The AlloIncognito Connection's extras cannot be used: {error}") from None


def _warn_of_unknown(name: str, known: set[str]) -> None:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    log.warning("The AlloIncognito Connection's extra %r is no setting and is ignored%s", name, hint)


def _as_given(name: str, value: Any) -> Any:
    """Forms give texts: a list is written with commas, a mapping as JSON."""
    if name in ("auth_error_codes", "pending_error_codes"):
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return [str(part).strip() for part in parts if str(part).strip()]
    if name == "proxies" and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise AlloincognitoSettingsError(
                "Setting proxies is a JSON object from scheme to proxy URL, such as "
                '{"https": "http://proxy.example:3128"}.'
            ) from None
    if name == "verify" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    return value


def server_url(host: str | None = None, port: int | None = None, schema: str | None = None) -> str:
    """
    Scheme, lower-case host and explicit port of a server: the same text for every way of writing it.

    :param host: empty for PROD; a URL, or a host's name.
    :param port: the port, unless the host names one; 0 and None mean none given.
    :param schema: ``https`` unless told.
    :raises AlloincognitoSettingsError: if it is no http(s) address.
    """
    host = (host or "").strip()
    if not host:
        return PROD_SERVER
    try:
        parts = urlsplit(host if "://" in host else f"{(schema or 'https').strip()}://{host}")
        scheme = parts.scheme.lower()
        known_port = parts.port or port or None
    except ValueError:
        parts, scheme, known_port = urlsplit(""), "", None
    if scheme not in DEFAULT_PORTS or not parts.hostname or parts.username:
        raise AlloincognitoSettingsError(
            "The AlloIncognito Connection's host is no address of a server. Leave it empty for PROD, or give a URL "
            f"such as {TEST_SERVER} (http or https, no user or password in it)."
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if known_port is None and f"{scheme}://{name}" in (
        PROD_SERVER.rsplit(":", 1)[0],
        TEST_SERVER.rsplit(":", 1)[0],
    ):
        known_port = 4431  # the API's text: both stands answer there
    return f"{scheme}://{name}:{known_port or DEFAULT_PORTS[scheme]}"

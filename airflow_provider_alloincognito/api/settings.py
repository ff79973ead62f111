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
ASSUMED_ZONE = "Europe/Moscow"
API_PORT = 4431
DEFAULT_PORTS = {"https": 443, "http": 80}
PATHS = ("call_list_path", "create_path", "refresh_path", "record_file_path", "request_result_path")
SECONDS = ("timeout", "token_store_seconds", "token_call_seconds")
NOT_NEGATIVE = ("retries", "requests_per_second", "max_response_bytes", "refresh_before_expiry")
# What errors say of a setting that is not just a text.
ALLOWED = {
    **dict.fromkeys(PATHS, "a path on the server that starts with a slash"),
    **dict.fromkeys(SECONDS, "a number of seconds above 0"),
    "timezone": "an IANA time zone, such as 'Europe/Moscow'",
    "period_end": "'unknown', 'inclusive' or 'exclusive'",
    "null_rowset": "'empty' or 'pending'",
    "refresh_before_expiry": "a number of seconds, 0 or more",
    "retries": "a whole number, 0 or more",
    "requests_per_second": "a number, 0 (no limit) or more",
    "max_response_bytes": "a whole number, 0 (no limit) or more",
    "verify": "true, false or the path of a CA bundle",
    "proxies": 'a JSON object from scheme to proxy URL, such as {"https": "http://proxy.example:3128"}',
}

log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """
    What a client must know about a server. "Assumed" marks what the API's text does not say.

    :param server: scheme, host and port of the server. From the API's text.
    :param call_list_path: path of the call list, requested by POST. Assumed: missing in the text.
    :param create_path: path that makes a token pair. From the API's text.
    :param refresh_path: path that renews a token pair. The prefix ``/api/v1`` is assumed: the text omits it.
    :param record_file_path: path of a recording. From the API's text.
    :param request_result_path: path of the result by hash. From the API's text.
    :param numbers_field: the field of the call list's body that contains the numbers. Assumed.
    :param record_file_id_field: the row's field with the id of its recording. Assumed.
    :param start_time_field: the row's field with the call's start. If set, only rows of the exact period are kept.
    :param timezone: IANA zone of all times without a zone. Assumed: Europe/Moscow; if that is not set, and the server's
        clock shows another zone, call lists are an error.
    :param period_end: whether ``periodEnd`` is inside the period: ``unknown``, ``inclusive`` or ``exclusive``.
    :param auth_error_codes: ``errorCode`` values that mean "your token is not valid" with HTTP 200. Assumed.
    :param pending_error_codes: ``errorCode`` values that mean "not ready yet". None are known.
    :param null_rowset: what ``rowset: null`` means: ``empty`` (no calls) or ``pending``. Assumed.
    :param refresh_before_expiry: seconds before the access token's expiry at which to renew it; by default a tenth of
        its life, at most 10 minutes.
    :param token_store: ``variable``, ``redis://<conn id>`` or ``memory``.
    :param token_store_seconds: the longest one call to the token store takes, in seconds, for the rotation protocol.
    :param token_call_seconds: the usual time of one ``create`` or ``refresh``, in seconds, for the rotation protocol.
    :param timeout: seconds to wait for a connection, and for each further part of a response.
    :param retries: how often to send a request again after a connection error, 429, 502, 503 or 504.
    :param requests_per_second: limit on the requests of one client; 0 is no limit. None is known.
    :param max_response_bytes: a longer response is an error; 0 is no limit.
    :param verify: how to check the server's certificate: true, false, or the path of a CA bundle.
    :param proxies: scheme to proxy URL, as for ``requests``.
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
    timezone: str | None = None
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
        valid = {
            **{name: 0 < getattr(self, name) < math.inf for name in SECONDS},
            **{name: 0 <= (getattr(self, name) or 0) < math.inf for name in NOT_NEGATIVE},
            # Anything else would become part of the URL's host, which the token is sent to.
            **{name: getattr(self, name).startswith("/") for name in PATHS},
        }
        for name, is_valid in valid.items():
            if not is_valid:
                raise _invalid(name)
        try:
            ZoneInfo(self.timezone or ASSUMED_ZONE)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _invalid("timezone") from None

    def replace(self, **changes: Any) -> Settings:
        """Return the same settings with some changes."""
        return msgspec.structs.replace(self, **changes)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of all times without a zone."""
        return ZoneInfo(self.timezone or ASSUMED_ZONE)


def read_settings(server: str, extra: Mapping[str, Any]) -> Settings:
    """
    Read the settings from a Connection's extras.

    :param server: as :func:`server_url` returns it.
    :param extra: names and values, from JSON or from the form's text fields; empty values mean the default.
    :raises AlloincognitoSettingsError: if a value is invalid. It names the setting and what is allowed.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "server"}
    values: dict[str, Any] = {}
    for name, value in extra.items():
        if name not in types:
            close = difflib.get_close_matches(name, types, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            log.warning("Unknown extra %r in the AlloIncognito Connection, ignored%s", name, hint)
        elif value is not None and value != "":
            try:
                values[name] = msgspec.convert(_from_form(name, value), types[name], strict=False)
            except (msgspec.ValidationError, msgspec.DecodeError):
                raise _invalid(name) from None
    return Settings(server=server, **values)


def _invalid(name: str) -> AlloincognitoSettingsError:
    return AlloincognitoSettingsError(
        f"The setting {name} of the AlloIncognito Connection is invalid. It must be {ALLOWED.get(name, 'a text')}."
    )


def _from_form(name: str, value: Any) -> Any:
    """Convert a form's text: a list with commas, a mapping in JSON, true or false."""
    if name in ("auth_error_codes", "pending_error_codes"):
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return [str(part).strip() for part in parts if str(part).strip()]
    if name == "proxies" and isinstance(value, str):
        return msgspec.json.decode(value)
    if name == "verify" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    return value


def server_url(host: str | None = None, port: int | None = None, schema: str | None = None) -> str:
    """
    Return a server's scheme, lower-case host and explicit port: the same text however a Connection spells it.

    :param host: empty for the PROD environment; a URL, or a host name.
    :param port: the port, unless the host contains one; 0 and None mean the default.
    :param schema: ``https`` by default.
    :raises AlloincognitoSettingsError: if it is not a valid http(s) address.
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
            "The AlloIncognito Connection's host is not a valid server address. Leave it empty for the PROD "
            f"environment, or set it to a URL such as {TEST_SERVER} (http or https, no user or password in it)."
        )
    address = f"{scheme}://[{parts.hostname}]" if ":" in parts.hostname else f"{scheme}://{parts.hostname}"
    is_known = f"{address}:{API_PORT}" in (PROD_SERVER, TEST_SERVER)
    return f"{address}:{known_port or (API_PORT if is_known else DEFAULT_PORTS[scheme])}"

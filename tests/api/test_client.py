"""The transport of tasks over HTTP: token calls, errors, retries, TLS, proxies: ``client.py``, ``head.py``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from plain_server import CALL_LIST_PATH, CREATE_PATH, RESULT_PATH, PlainServer, Said
from sent_requests import END, START, call_hash, calls, calls_by_hash, recording

from airflow_provider_alloincognito.api.tokens.stores import MemoryTokenStore
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoConnectionError,
    AlloincognitoError,
    AlloincognitoResponseError,
)
from airflow_provider_alloincognito.sandbox import Fault, Sandbox

StartSandbox = Callable[..., Sandbox]
NewClient = Callable[..., Client]
StartPlain = Callable[..., PlainServer]
UNKNOWN_HASH = "bm9ib2R5cw=="


def token_calls(sandbox: Sandbox) -> tuple[int, int]:
    """Return the numbers of requests for ``create`` and ``refresh`` since the last call."""
    counted = sandbox.count("create"), sandbox.count("refresh")
    sandbox.clear_log()
    return counted


# Tokens, as the sandbox counts them


def test_the_first_request_makes_one_pair_and_later_ones_none(sandbox: Sandbox, new_client: NewClient) -> None:
    store = MemoryTokenStore()
    calls(new_client(sandbox, store=store))
    assert token_calls(sandbox) == (1, 0)
    for _ in range(3):
        calls(new_client(sandbox, store=store))
    assert token_calls(sandbox) == (0, 0)


def test_a_pair_near_its_expiry_is_refreshed_once(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, refresh_before_expiry=25 * 3600)
    for _ in range(3):
        calls(client)
    assert token_calls(sandbox) == (1, 1)
    assert [one.by for one in sandbox.rotations] == ["create", "refresh"]


@pytest.mark.parametrize("answer", ["auth", "error"])
def test_a_refused_early_refresh_is_repeated_after_the_expiry(
    answer: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(early_refresh="refused", early_refresh_answer=answer)
    client = new_client(sandbox, refresh_before_expiry=25 * 3600)
    for _ in range(3):
        assert calls(client) == sandbox.truth(START, END)
    assert token_calls(sandbox) == (1, 1)
    assert [one.by for one in sandbox.rotations] == ["create"]
    sandbox.expire_access()
    for _ in range(3):
        calls(client)
    assert token_calls(sandbox) == (0, 1)
    assert [one.by for one in sandbox.rotations] == ["create", "refresh"]


@pytest.mark.parametrize("rejection", [401, 403, 200])
def test_an_expired_access_token_is_refreshed_once(
    rejection: int, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(auth_rejection=rejection, access_lifetime=1.0)
    client = new_client(sandbox)
    calls(client)
    sandbox.configure(access_lifetime=3600)
    time.sleep(1.05)
    assert calls(client) == sandbox.truth(START, END)
    assert token_calls(sandbox) == (1, 1)


@pytest.mark.parametrize("rejection", [401, 200])
def test_an_expired_pair_is_created_again_once(
    rejection: int, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(auth_rejection=rejection)
    client = new_client(sandbox)
    calls(client)
    sandbox.expire_pair()
    assert calls(client) == sandbox.truth(START, END)
    assert token_calls(sandbox)[0] == 2
    assert [one.by for one in sandbox.rotations] == ["create", "create"]


def test_the_codes_of_the_setting_reject_a_token(start_sandbox: StartSandbox, new_client: NewClient) -> None:
    sandbox = start_sandbox(auth_rejection=200, auth_error_code="E_TOKEN")
    client = new_client(sandbox, auth_error_codes=("E_TOKEN",))
    calls(client)
    sandbox.expire_access()
    assert calls(client) == sandbox.truth(START, END)
    assert token_calls(sandbox) == (1, 1)


def test_a_pair_made_by_another_program_costs_one_new_pair(sandbox: Sandbox, client: Client) -> None:
    calls(client)
    sandbox.kill_pair()
    assert calls(client) == sandbox.truth(START, END)
    assert [one.by for one in sandbox.rotations] == ["create", "stranger", "create"]


def test_threads_rotate_once_for_all(sandbox: Sandbox, client: Client) -> None:
    def in_threads() -> list[Any]:
        results: list[Any] = []
        start = threading.Barrier(8)

        def request() -> None:
            start.wait()
            try:
                results.append(calls(client))
            except AlloincognitoError as error:
                results.append(error)

        threads = [threading.Thread(target=request) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    truth = sandbox.truth(START, END)
    assert in_threads() == [truth] * 8
    assert token_calls(sandbox) == (1, 0)
    sandbox.expire_access()
    assert in_threads() == [truth] * 8
    assert token_calls(sandbox) == (0, 1)
    sandbox.expire_pair()
    assert in_threads() == [truth] * 8
    assert token_calls(sandbox)[0] == 1


def test_403_to_a_young_pair_is_a_missing_right(start_sandbox: StartSandbox, new_client: NewClient) -> None:
    sandbox = start_sandbox(forbidden_methods=("getcallrecordfile",))
    client = new_client(sandbox)
    calls(client)
    row = next(row for row in sandbox.truth(START, END) if row["recordFileId"])
    with pytest.raises(AlloincognitoApiError, match="right") as caught:
        recording(client, row["recordFileId"])
    assert (caught.value.code, caught.value.method) == (403, "getcallrecordfile")
    assert token_calls(sandbox) == (1, 0)
    calls(client)
    assert token_calls(sandbox) == (0, 0)


def test_error_code_403_to_a_young_pair_is_a_missing_right(start_sandbox: StartSandbox, new_client: NewClient) -> None:
    sandbox = start_sandbox()
    sandbox.add_fault("error", method="getcalllist", code=403, times=None)
    with pytest.raises(AlloincognitoApiError, match="right"):
        calls(new_client(sandbox))
    assert (sandbox.count("create"), sandbox.count("refresh")) == (1, 0)


@pytest.mark.parametrize("rejection", [401, 403, 200])
def test_a_rejected_authorization_token_is_not_retried(
    rejection: int, start_sandbox: StartSandbox, new_client: NewClient, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = start_sandbox(auth_rejection=rejection)
    client = new_client(sandbox, token="not-one-of-theirs", retries=4)
    with caplog.at_level(logging.DEBUG), pytest.raises(AlloincognitoAuthError, match="personal account") as caught:
        calls(client)
    assert len(sandbox.requests) == sandbox.count("create") == 1
    assert "not-one-of-theirs" not in f"{caught.value}{caplog.text}"


def test_a_replaced_authorization_token_is_an_error_that_names_the_cause(sandbox: Sandbox, client: Client) -> None:
    calls(client)
    sandbox.remake_authorization_token()
    with pytest.raises(AlloincognitoAuthError, match="remade"):
        calls(client)
    assert token_calls(sandbox)[0] == 2


@pytest.mark.parametrize("expiry_format", ["iso", "iso_z", "naive", "epoch_s", "epoch_ms", "garbage", "none"])
@pytest.mark.parametrize("envelope", ["bare", "result"])
def test_a_pair_is_read_however_it_is_written(
    expiry_format: str, envelope: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    """An expiry that was misread would be in the past, or near, and cost a refresh."""
    sandbox = start_sandbox(expiry_format=expiry_format, pair_envelope=envelope, access_lifetime=7200)
    store = MemoryTokenStore()
    calls(new_client(sandbox, store=store))
    calls(new_client(sandbox, store=store, refresh_before_expiry=3000))
    assert token_calls(sandbox) == (1, 0)
    calls(new_client(sandbox, store=store, refresh_before_expiry=7200))
    assert token_calls(sandbox) == (0, 1)


def test_without_an_expiry_a_token_is_assumed_to_live_for_24_hours(
    start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(expiry_format="none", jwt_exp="none")
    store = MemoryTokenStore()
    calls(new_client(sandbox, store=store, refresh_before_expiry=18 * 3600))
    assert token_calls(sandbox) == (1, 0)
    calls(new_client(sandbox, store=store, refresh_before_expiry=24 * 3600))
    assert token_calls(sandbox) == (0, 1)


def test_no_token_and_no_number_is_logged(sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    calls(client, numbers=["79161234567"])
    sandbox.expire_access()
    calls(client)
    sandbox.expire_pair()
    calls(client)
    with pytest.raises(AlloincognitoApiError):
        calls_by_hash(client, UNKNOWN_HASH)
    logged = caplog.text
    assert "AlloIncognito tokens" in logged
    assert not [token for token in sandbox.tokens_ever_issued if token in logged]
    assert "9161234567" not in logged


# Errors


def error_of(client: Client, kind: type[AlloincognitoError] = AlloincognitoError) -> Any:
    with pytest.raises(kind) as caught:
        calls(client)
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_the_apis_own_error_is_raised_and_scrubbed(
    status: int, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(error_status=status)
    client = new_client(sandbox)
    calls(client)
    pair = sandbox.tokens_ever_issued[-1]
    sandbox.add_fault("error", method="getcalllist", code=1500, message=f"абонент +7 (916) 123-45-67, Bearer {pair}")
    error = error_of(client, AlloincognitoApiError)
    assert (error.method, error.code) == ("getcalllist", 1500)
    assert error.request_hash
    assert error.message.startswith("абонент <number>, Bearer <token>")
    text = str(error)
    assert all(part in text for part in ("getcalllist", "1500", "абонент", error.request_hash))
    assert pair not in text
    assert "916" not in text.replace(error.request_hash, "")
    assert token_calls(sandbox) == (1, 0)


@pytest.mark.parametrize("shape", ["envelope", "null", "absent"])
def test_an_error_without_a_result_is_raised_too(
    shape: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(error_result=shape, error_code="E-5")
    client = new_client(sandbox)
    with pytest.raises(AlloincognitoApiError) as caught:
        calls_by_hash(client, UNKNOWN_HASH)
    assert caught.value.code == "E-5"
    assert (caught.value.request_hash is not None) == (shape == "envelope")


@pytest.mark.parametrize("no_error", ["null", "absent", "zero", "zero_string", "null_code"])
def test_every_form_of_no_error_is_recognised(
    no_error: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(no_error=no_error)
    assert calls(new_client(sandbox)) == sandbox.truth(START, END)


@pytest.mark.parametrize("key_order", ["error_first", "result_first", "rowset_first"])
@pytest.mark.parametrize(
    "sandbox_settings", [{"pretty": True}, {"gzip": True}, {"transfer": "chunked"}, {"ascii_json": True}]
)
def test_a_response_is_read_whatever_its_order_and_encoding(
    key_order: str, sandbox_settings: dict[str, Any], start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(key_order=key_order, awkward_rows=True, **sandbox_settings)
    client = new_client(sandbox)
    assert calls_by_hash(client, call_hash(client)) == calls(client) == sandbox.truth(START, END)


def test_the_codes_and_messages_of_errors_are_scrubbed(plain_server: StartPlain, new_client: NewClient) -> None:
    body = b'{"error": {"errorCode": "user +79161234567", "errorMessage": "an-authorization-token"}, "result": null}'
    server = plain_server({CALL_LIST_PATH: Said(body)})
    text = str(error_of(new_client(server.url), AlloincognitoApiError))
    assert "9161234567" not in text
    assert "an-authorization-token" not in text


def test_an_error_after_the_rows_is_an_error(plain_server: StartPlain, new_client: NewClient) -> None:
    rows = b",".join([b'{"a": 1}'] * 50_000)
    body = (
        b'{"result": {"rowset": ['
        + rows
        + b'], "requestHash": "h"}, "error": {"errorCode": 7, "errorMessage": "late"}}'
    )
    server = plain_server({CALL_LIST_PATH: Said(body)})
    error = error_of(new_client(server.url), AlloincognitoApiError)
    assert (error.code, error.message, error.request_hash) == (7, "late", "h")


def test_rows_under_another_status_of_success_are_not_lost(plain_server: StartPlain, new_client: NewClient) -> None:
    """A response to a POST may have the status 201."""
    rows = b",".join([b'{"a": 1}'] * 200_000)
    for number, content in ((1, b'{"a": 1}'), (200_000, rows)):
        body = b'{"error": null, "result": {"rowset": [' + content + b"]}}"
        server = plain_server({CALL_LIST_PATH: Said(body, 201)})
        assert calls(new_client(server.url)) == [{"a": 1}] * number


def fault_id(fault: Fault) -> str:
    return f"{fault.kind}-{fault.after_fraction or fault.after_bytes}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="html"),
        Fault(kind="no_result"),
        Fault(kind="malformed_json"),
        Fault(kind="malformed_json", after_fraction=0.01),
        Fault(kind="short_json"),
        Fault(kind="trailing_junk"),
        Fault(kind="cut"),
        Fault(kind="reset", after_fraction=0.7),
    ],
    ids=fault_id,
)
@pytest.mark.parametrize("transfer", ["chunked", "content_length"])
def test_an_unexpected_or_truncated_response_is_an_error(
    fault: Fault, transfer: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(transfer=transfer)
    client = new_client(sandbox, retries=3)
    calls(client)
    sandbox.add_fault(Fault(**{**fault.to_json(), "method": "getcalllist"}))
    text = str(error_of(client, AlloincognitoResponseError))
    assert "getcalllist" in text or "response" in text.lower()
    assert not [number for number in sandbox.phone_numbers(START, END) if number in text]
    assert "916" not in text
    assert sandbox.count("getcalllist") == 2, "rows that have been handed out cannot be taken back"
    assert calls(client) == sandbox.truth(START, END)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="short_json", after_fraction=0.02),
        Fault(kind="cut", after_fraction=0.02),
        Fault(kind="cut", after_bytes=0),
    ],
    ids=fault_id,
)
@pytest.mark.parametrize("transfer", ["chunked", "content_length"])
def test_a_response_that_is_truncated_before_its_first_row_is_requested_again(
    fault: Fault, transfer: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox(transfer=transfer)
    client = new_client(sandbox, retries=1)
    sandbox.add_fault(Fault(**{**fault.to_json(), "method": "getcalllist"}))
    assert calls(client) == sandbox.truth(START, END)
    assert sandbox.count("getcalllist") == 2


@pytest.mark.parametrize("method", ["create", "refresh"])
@pytest.mark.parametrize("kind", ["html", "empty_body"])
def test_an_unexpected_response_to_a_token_call_is_survived(
    method: str, kind: str, start_sandbox: StartSandbox, new_client: NewClient
) -> None:
    sandbox = start_sandbox()
    client = new_client(sandbox)
    if method == "create":
        sandbox.add_fault(kind, method=method)
        error_of(client, AlloincognitoResponseError)
        assert calls(client) == sandbox.truth(START, END)
    else:
        calls(client)
        sandbox.expire_access()
        sandbox.add_fault(kind, method=method)
        assert calls(client) == sandbox.truth(START, END)


def test_a_valid_body_with_a_wrong_content_type_is_read(sandbox: Sandbox, client: Client) -> None:
    """The API's text does not name a content type."""
    sandbox.add_fault("content_type", times=None)
    assert calls(client) == sandbox.truth(START, END)


def test_max_response_bytes_is_a_limit(sandbox: Sandbox, new_client: NewClient) -> None:
    store = MemoryTokenStore()
    error = error_of(new_client(sandbox, store=store, max_response_bytes=2000), AlloincognitoResponseError)
    assert "max_response_bytes" in str(error)
    assert calls(new_client(sandbox, store=store, max_response_bytes=10_000_000)) == sandbox.truth(START, END)


# Retries; their pauses: test_retries.py


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_to_a_busy_server_is_retried(status: int, sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=2)
    sandbox.add_fault("status", method="getcalllist", status=status, retry_after=0, times=2)
    assert calls(client) == sandbox.truth(START, END)
    assert sandbox.count("getcalllist") == 3


@pytest.mark.parametrize("status", [400, 404, 501])
def test_other_statuses_are_not_retried(status: int, sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=3)
    sandbox.add_fault("status", method="getcalllist", status=status)
    assert error_of(client, AlloincognitoApiError).code == status
    assert sandbox.count("getcalllist") == 1


def test_retry_after_is_obeyed(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=1)
    calls(client)
    sandbox.add_fault("status", status=429, retry_after=1)
    began = time.monotonic()
    calls(client)
    assert 0.95 < time.monotonic() - began < 10


def test_retries_of_a_task_are_limited(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=2)
    sandbox.add_fault("status", method="getcalllist", status=503, retry_after=0, times=None)
    assert "503" in str(error_of(client, AlloincognitoConnectionError))
    assert sandbox.count("getcalllist") == 3


def test_a_long_retry_after_ends_the_attempts_at_once(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=3)
    sandbox.add_fault("status", method="getcalllist", status=503, retry_after=7200)
    assert "7200" in str(error_of(client, AlloincognitoConnectionError))
    assert sandbox.count("getcalllist") == 1


def test_a_reset_connection_is_retried(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, retries=1)
    calls(client)
    sandbox.add_fault("reset", method="getcalllist")
    assert calls(client) == sandbox.truth(START, END)


def test_an_unreachable_server_is_named(start_sandbox: StartSandbox, new_client: NewClient) -> None:
    with Sandbox(calls_per_day=1) as gone:
        url = gone.url
    error = error_of(new_client(url, retries=0), AlloincognitoConnectionError)
    assert url in str(error)
    assert "firewall" in str(error)


@pytest.mark.parametrize("stall", [{"after_bytes": 0}, {"after_fraction": 0.5}])
def test_a_server_that_stops_sending_is_given_up(
    stall: dict[str, Any], sandbox: Sandbox, new_client: NewClient
) -> None:
    client = new_client(sandbox, timeout=0.3)
    sandbox.add_fault("stall", method="getcalllist", **stall)
    began = time.monotonic()
    error_of(client)
    assert time.monotonic() - began < 10


def test_a_late_response_is_a_timeout(start_sandbox: StartSandbox, new_client: NewClient) -> None:
    sandbox = start_sandbox(latency={"getcalllist": 5.0})
    assert "timed out" in str(error_of(new_client(sandbox, timeout=0.2), AlloincognitoConnectionError))


def test_requests_per_second_is_a_limit(sandbox: Sandbox, new_client: NewClient) -> None:
    client = new_client(sandbox, requests_per_second=20)
    threads = [threading.Thread(target=calls, args=(client,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(request.time for request in sandbox.requests)
    assert len(times) == 7
    assert times[-1] - times[0] > 6 / 20 * 0.8


# TLS, proxies, redirects


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA, plain_server: StartPlain) -> PlainServer:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return plain_server(tls=context)


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


@pytest.fixture
def other_bundle(tmp_path: Path) -> str:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    return str(tmp_path / "other.pem")


def test_an_untrusted_certificate_is_an_error(tls_server: PlainServer, new_client: NewClient) -> None:
    error = error_of_hash(new_client(tls_server.url), AlloincognitoConnectionError)
    assert "issuer" in str(error)
    assert "verify" in str(error)
    assert tls_server.asked == []


def test_a_bundle_in_verify_overrides_the_environment(
    tls_server: PlainServer, new_client: NewClient, bundle: str, other_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_bundle)
    monkeypatch.setenv("CURL_CA_BUNDLE", other_bundle)
    assert calls_by_hash(new_client(tls_server.url, verify=bundle), UNKNOWN_HASH) == []


def test_verify_false_overrides_the_environment(
    tls_server: PlainServer, new_client: NewClient, other_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_bundle)
    assert calls_by_hash(new_client(tls_server.url, verify=False), UNKNOWN_HASH) == []


def test_verify_true_uses_the_environments_bundle(
    tls_server: PlainServer, new_client: NewClient, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    assert calls_by_hash(new_client(tls_server.url), UNKNOWN_HASH) == []


def test_a_netrc_does_not_replace_the_token(
    plain_server: StartPlain, new_client: NewClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = plain_server()
    assert requests.utils.get_netrc_auth(server.url) == ("me", "mine"), "requests would use the netrc"
    calls_by_hash(new_client(server.url), UNKNOWN_HASH)
    sent = [headers["Authorization"] for _, headers in server.asked]
    assert sent == ["Bearer an-authorization-token", "Bearer the-access-token"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("path", [CREATE_PATH, RESULT_PATH])
def test_no_token_is_sent_to_the_target_of_a_redirect(
    path: str, status: int, plain_server: StartPlain, new_client: NewClient
) -> None:
    elsewhere = plain_server()
    server = plain_server({path: Said(b"", status, {"Location": f"{elsewhere.url}{path}"})})
    error_of_hash(new_client(server.url), AlloincognitoApiError)
    assert elsewhere.asked == []


def test_proxies_are_used(plain_server: StartPlain, new_client: NewClient) -> None:
    """A plain HTTP proxy receives whole URLs, so any server can be one."""
    proxy = plain_server({})
    client = new_client("http://server.invalid:80", proxies={"http": proxy.url})
    error_of_hash(client, AlloincognitoError)
    assert proxy.paths == [f"http://server.invalid:80{CREATE_PATH}"]


def test_the_environments_proxies_and_exceptions_are_used(
    plain_server: StartPlain, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = plain_server({}), plain_server()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    error_of_hash(new_client("http://server.invalid:80"), AlloincognitoError)
    assert calls_by_hash(new_client(server.url), UNKNOWN_HASH) == []
    assert proxy.paths == [f"http://server.invalid:80{CREATE_PATH}"]


def error_of_hash(client: Client, kind: type[AlloincognitoError]) -> Any:
    with pytest.raises(kind) as caught:
        calls_by_hash(client, UNKNOWN_HASH)
    return caught.value

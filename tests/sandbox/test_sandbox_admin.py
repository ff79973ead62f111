"""The log, and the administration in Python and over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Sandbox


def test_the_log(client: PlainClient) -> None:
    client.rows(direction=1)
    create, asked = client.sandbox.requests
    assert (create.method, create.http_method, create.status, create.rotation) == ("create", "GET", 200, True)
    assert (create.token_kind, create.token_state) == ("authorization", "living")
    assert asked.method == "getcalllist"
    assert asked.path == "/api/v1/request/getcalllist"
    assert asked.body == {
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "direction": 1,
    }
    assert asked.headers["content-type"] == "application/json"
    assert not asked.rotation
    assert asked.token
    assert asked.token != create.token
    client.call_list("nonsense")
    assert (client.sandbox.requests[-1].token_kind, client.sandbox.requests[-1].token_state) == (None, "unknown")


def test_the_log_holds_no_token(client: PlainClient) -> None:
    client.rows()
    client.refresh()
    client.call_list("nonsense")
    text = json.dumps([one.to_json() for one in client.sandbox.requests]) + repr(client.sandbox.requests)
    assert "Authorization" not in text
    assert "nonsense" not in text
    for token in client.sandbox.tokens_ever_issued:
        assert token not in text


def test_counts(client: PlainClient) -> None:
    client.rows()
    client.call_list("bad")
    assert client.sandbox.count("create") == 1
    assert client.sandbox.count("getcalllist") == 2
    assert client.sandbox.count("getcalllist", status=401) == 1
    assert client.sandbox.count("refresh") == 0
    client.sandbox.clear_log()
    assert client.sandbox.count("getcalllist") == 0
    assert client.sandbox.requests == []
    assert client.call_list().status_code == 200
    with pytest.raises(ValueError, match="getcalls"):
        client.sandbox.count("getcalls")


class Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._url = f"{sandbox.url}/_sandbox"

    def __call__(self, verb: str, path: str, body: Any = None, **parameters: Any) -> Any:
        answer = requests.request(verb, self._url + path, json=body, params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture
def admin(sandbox: Sandbox) -> Admin:
    return Admin(sandbox)


def test_the_log_over_http(client: PlainClient, admin: Admin) -> None:
    client.rows()
    client.call_list("bad")
    assert admin("GET", "/count", method="getcalllist", status=401) == {"count": 1}
    state = admin("GET", "/state")
    assert state["requests"]["getcalllist"] == {
        "all": 2,
        "by_status": {"200": 1, "401": 1},
        "by_outcome": {"ok": 1, "rejected": 1},
    }
    assert (state["rotations"], state["rotations_by"]["create"]) == (1, 1)
    logged = admin("GET", "/requests")
    assert [one["method"] for one in logged] == ["create", "getcalllist", "getcalllist"]
    assert [one["number"] for one in admin("GET", "/requests", method="getcalllist", after=2)] == [3]
    assert len(admin("GET", "/requests", limit=2)) == 2
    admin("DELETE", "/requests")
    assert admin("GET", "/requests") == []
    assert [one["by"] for one in admin("GET", "/rotations")] == ["create"]


def test_tokens_over_http(client: PlainClient, admin: Admin) -> None:
    client.create()
    admin("POST", "/expire_access")
    assert client.call_list().status_code == 401
    assert client.refresh().status_code == 200
    admin("POST", "/kill_pair")
    assert client.refresh().status_code == 401
    client.create()
    admin("POST", "/expire_pair")
    assert client.refresh().status_code == 401
    old = client.sandbox.authorization_token
    assert admin("POST", "/authorization_token")["authorization_token"] == client.sandbox.authorization_token != old
    assert old in admin("GET", "/tokens")["ever_issued"]


def test_settings_and_faults_over_http(client: PlainClient, admin: Admin) -> None:
    assert admin("GET", "/settings")["calls_per_day"] == 120
    assert admin("PATCH", "/settings", {"calls_per_day": 10, "recording_bytes": [10, 20]})["calls_per_day"] == 10
    assert client.sandbox.settings.recording_bytes == (10, 20)
    admin("POST", "/faults", {"kind": "status", "status": 500})
    assert [one["status"] for one in admin("GET", "/faults")] == [500]
    admin("DELETE", "/faults")
    assert client.sandbox.faults == []
    text = client.call_list().json()["result"]["requestHash"]
    admin("POST", "/forget_hashes")
    assert client.by_hash(text).json()["error"]
    for bad in ({"calls": 1}, {"period_end": "open"}, {"admin": False}):
        with pytest.raises(requests.HTTPError, match="400"):
            admin("PATCH", "/settings", bad)
    with pytest.raises(requests.HTTPError, match="400"):
        admin("POST", "/faults", {"kind": "earthquake"})


def test_the_truth_over_http(client: PlainClient, admin: Admin, recorded: dict[str, Any]) -> None:
    url = f"{client.sandbox.url}/_sandbox"
    period = {"start": "2025-06-02", "end": "2025-06-03T00:00:00+03:00"}
    lines = requests.get(f"{url}/truth", params=period, timeout=10).text.splitlines()
    assert [json.loads(line) for line in lines] == client.rows()
    numbers = set(admin("GET", "/phone_numbers", **period))
    assert numbers == client.sandbox.phone_numbers("2025-06-02", "2025-06-03")
    assert recorded["callerNumber"] in numbers
    mp3 = requests.get(f"{url}/recordings/{recorded['recordFileId']}", timeout=10)
    assert mp3.content == client.mp3(recorded["recordFileId"])
    assert requests.get(f"{url}/recordings/x", timeout=10).status_code == 404
    assert requests.get(f"{url}/truth", params={"start": "x", "end": "y"}, timeout=10).status_code == 400


def test_the_administration_may_be_off() -> None:
    with Sandbox(admin=False) as sandbox:
        assert requests.get(f"{sandbox.url}/_sandbox/state", timeout=10).status_code == 404


def test_the_documentation_needs_nothing_from_elsewhere(client: PlainClient) -> None:
    client.sandbox.configure(call_list_path="/api/v9/calls")
    page = requests.get(f"{client.sandbox.url}/docs", timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    for path in client.sandbox.settings.paths.values():
        assert path in page.text
    assert "//" not in page.text.replace("</", "")
    document = requests.get(f"{client.sandbox.url}/openapi.json", timeout=10).json()
    assert set(client.sandbox.settings.paths.values()) <= set(document["paths"])
    assert "post" in document["paths"]["/api/v9/calls"]

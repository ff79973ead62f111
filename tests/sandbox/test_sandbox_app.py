"""The application: the documentation, and the administration over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from sandbox_client import PlainClient

from airflow_provider_alloincognito.sandbox import Fault, Sandbox


class Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._url = f"{sandbox.url}/_sandbox"

    def __call__(self, verb: str, path: str, body: Any = None, **parameters: Any) -> Any:
        response = requests.request(verb, self._url + path, json=body, params=parameters, timeout=10)
        response.raise_for_status()
        return response.json() if response.content else None


@pytest.fixture
def admin(sandbox: Sandbox) -> Admin:
    return Admin(sandbox)


def test_the_log_can_be_read_and_cleared(client: PlainClient, admin: Admin) -> None:
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


def test_tokens_can_be_expired_and_replaced(client: PlainClient, admin: Admin) -> None:
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


def test_settings_and_faults_can_be_changed(client: PlainClient, admin: Admin) -> None:
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


def test_the_truth_can_be_read(client: PlainClient, admin: Admin, recorded: dict[str, Any]) -> None:
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


def test_the_administration_can_be_off() -> None:
    with Sandbox(admin=False) as sandbox:
        assert requests.get(f"{sandbox.url}/_sandbox/state", timeout=10).status_code == 404


def test_the_administration_describes_itself(sandbox: Sandbox) -> None:
    page = requests.get(f"{sandbox.url}/_sandbox/docs", timeout=10)
    assert "/_sandbox/openapi.json" in page.text
    document = requests.get(f"{sandbox.url}/_sandbox/openapi.json", timeout=10).json()
    assert all(path.startswith("/_sandbox/") for path in document["paths"])
    assert {"get", "patch"} == set(document["paths"]["/_sandbox/settings"])
    assert set(document["paths"]["/_sandbox/faults"]) == {"get", "post", "delete"}
    assert set(document["components"]["schemas"]["Fault"]["properties"]) == set(Fault(kind="cut").to_json())


def test_without_administration_there_is_no_description_of_it() -> None:
    with Sandbox(admin=False) as sandbox:
        assert requests.get(f"{sandbox.url}/_sandbox/openapi.json", timeout=10).status_code == 404
        assert requests.get(f"{sandbox.url}/_sandbox/docs", timeout=10).status_code == 404
        assert requests.get(f"{sandbox.url}/docs", timeout=10).status_code == 200

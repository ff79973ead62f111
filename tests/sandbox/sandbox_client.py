"""A plain client, written from the API's text alone, over real HTTP."""

from __future__ import annotations

import base64
from typing import Any

import requests

from airflow_provider_alloincognito.sandbox import Sandbox

CREATE = "/api/v1/auth/integrationapi/create"
REFRESH = "/api/v1/auth/integrationapi/refresh"
CALL_LIST = "/api/v1/request/getcalllist"
RECORD_FILE = "/api/v1/request/getcallrecordfile"
BY_HASH = "/api/v1/request/getrequestresultbyhash"

MONDAY = {"periodStart": "2025-06-02 00:00:00", "periodEnd": "2025-06-03 00:00:00"}


class PlainClient:
    """Sends requests to the sandbox, and keeps its token pair."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.pair: dict[str, Any] = {}

    def get(self, path: str, token: str | None, **parameters: str) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.session.get(self.sandbox.url + path, headers=headers, params=parameters, timeout=10)

    def create(self) -> dict[str, Any]:
        response = self.get(CREATE, self.sandbox.authorization_token)
        assert response.status_code == 200, response.text
        document = response.json()
        self.pair = document.get("result", document)
        return self.pair

    def refresh(self) -> requests.Response:
        response = self.get(REFRESH, self.pair["refreshToken"])
        if response.status_code == 200 and "accessToken" in response.json():
            self.pair = response.json()
        return response

    @property
    def access(self) -> str:
        if not self.pair:
            self.create()
        return str(self.pair["accessToken"])

    def call_list(self, _token: str | None = None, **body: Any) -> requests.Response:
        return self.session.post(
            self.sandbox.url + CALL_LIST,
            json={**MONDAY, **body},
            headers={"Authorization": f"Bearer {_token or self.access}"},
            timeout=30,
        )

    def rows(self, **body: Any) -> list[dict[str, Any]]:
        response = self.call_list(**body)
        assert response.status_code == 200, response.text
        document = response.json()
        assert not document.get("error"), document["error"]
        rows: list[dict[str, Any]] = document["result"]["rowset"]
        return rows

    def record_file(self, record_file_id: str) -> requests.Response:
        return self.get(RECORD_FILE, self.access, recordFileId=record_file_id)

    def mp3(self, record_file_id: str) -> bytes:
        return base64.b64decode(self.record_file(record_file_id).json()["result"]["fileContent"])

    def by_hash(self, request_hash: str) -> requests.Response:
        return self.get(BY_HASH, self.access, requestHash=request_hash)

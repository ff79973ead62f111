"""The sandbox in a process of its own, and what its log says of the token pairs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any, Self

import requests


class SandboxProcess:
    """
    The sandbox, used with ``with``.

    :param settings: the sandbox's settings.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self.url = self.authorization_token = ""

    def __enter__(self) -> Self:
        settings = [f"--set={name}={json.dumps(value)}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_alloincognito.sandbox", "--port=0", *settings],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The sandbox did not start.")
        announced = json.loads(line)
        self.url, self.authorization_token = announced["url"], announced["authorization_token"]
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def rotations(self) -> list[dict[str, Any]]:
        """Return every pair that was made, with the id that the clients' logs give it."""
        rotations: list[dict[str, Any]] = self._get("rotations")
        pairs = self._access_tokens()
        return [{**one, "id": hashlib.sha256(pairs[one["number"] - 1].encode()).hexdigest()[:12]} for one in rotations]

    def tokens(self) -> list[str]:
        """Return every token that was ever issued."""
        tokens: list[str] = self._get("tokens")["ever_issued"]
        return tokens

    def rotate_as_another_program(self) -> None:
        """Make a pair, as another program with the same authorization token would."""
        requests.post(f"{self.url}/_sandbox/kill_pair", timeout=30).raise_for_status()

    def connection(self, **extra: Any) -> str:
        """Return an Airflow Connection to this sandbox, as JSON."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return json.dumps(
            {
                "conn_type": "alloincognito",
                "host": host,
                "schema": "http",
                "port": int(port),
                "password": self.authorization_token,
                "extra": extra,
            }
        )

    def _get(self, what: str) -> Any:
        response = requests.get(f"{self.url}/_sandbox/{what}", timeout=30)
        response.raise_for_status()
        return response.json()

    def _access_tokens(self) -> list[str]:
        # The first is the authorization token; then an access and a refresh token for each pair.
        return self.tokens()[1::2]

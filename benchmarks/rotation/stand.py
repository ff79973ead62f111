"""The strict sandbox in a process of its own, and what its administration tells."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any, Self

import requests


class Stand:
    """
    A sandbox of AlloIncognito's, used with ``with``.

    :param knobs: the sandbox's.
    """

    def __init__(self, **knobs: Any) -> None:
        self._knobs = knobs
        self.url = self.authorization_token = ""

    def __enter__(self) -> Self:
        settings = [f"--set={name}={json.dumps(value)}" for name, value in self._knobs.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_alloincognito.sandbox", "--port=0", *settings],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        announced = json.loads(line)
        self.url, self.authorization_token = announced["url"], announced["authorization_token"]
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def rotations(self) -> list[dict[str, Any]]:
        """Every pair that came to be, with the id by which the clients' logs call it."""
        rotations: list[dict[str, Any]] = self._ask("rotations")
        pairs = self._access_tokens()
        return [{**one, "id": hashlib.sha256(pairs[one["number"] - 1].encode()).hexdigest()[:12]} for one in rotations]

    def tokens(self) -> list[str]:
        """Every token that was ever issued."""
        tokens: list[str] = self._ask("tokens")["ever_issued"]
        return tokens

    def counts(self) -> dict[str, Any]:
        """Requests by method and outcome."""
        counts: dict[str, Any] = self._ask("state")["requests"]
        return counts

    def rotate_as_a_stranger(self) -> None:
        """Another program with the same authorization token makes a pair."""
        requests.post(f"{self.url}/_sandbox/kill_pair", timeout=30).raise_for_status()

    def connection(self, **extra: Any) -> str:
        """The Airflow Connection that leads here, as JSON."""
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

    def _ask(self, what: str) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{what}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _access_tokens(self) -> list[str]:
        # The first is the authorization token; then an access and a refresh token for each pair.
        return self.tokens()[1::2]

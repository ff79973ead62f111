"""Commands, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_alloincognito.cli.commands import main
from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox

DAY = ("--period-start", "2025-06-02", "--period-end", "2025-06-03")


@dataclass
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        return dict(json.loads(self.out))

    @property
    def checks(self) -> dict[str, str]:
        """The outcome of each check."""
        return {one["check"]: one["outcome"] for one in self.document["findings"]}

    def finding(self, check: str) -> str:
        """What a check says."""
        return next(f"{one['text']} {one['fix']}" for one in self.document["findings"] if one["check"] == check)


@pytest.fixture(autouse=True)
def new_process() -> None:
    """Forget the token pairs that this process knows, as each command's own process does."""
    forget_shared()


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command, as in a process of its own."""

    def run(*arguments: object) -> Ran:
        forget_shared()
        capfd.readouterr()
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as end:  # argparse's
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def pair_in_redis(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, connect: Callable[..., None]) -> Any:
    """Keep the pair of a sandbox in a Redis, as a task stored it; takes the sandbox."""
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
    from services.redis_server import RedisServer

    with RedisServer(tmp_path) as server:
        monkeypatch.setenv("AIRFLOW_CONN_PAIRS", server.url)

        def store(sandbox: Sandbox, **extra: Any) -> None:
            connect(sandbox, pair_store="redis://pairs", **extra)
            AlloincognitoHook().get_call_list("2025-06-02", "2025-06-03").__exit__(None, None, None)
            sandbox.clear_log()

        yield store

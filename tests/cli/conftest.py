"""Commands, run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from command_runs import Ran
from dag_runs import CONNECTION

from airflow_provider_alloincognito.cli.commands import main
from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox


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


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test saves; Airflow's command line makes a Fernet key for itself if none is set."""
    from airflow.models import Variable
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
    yield
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id == CONNECTION).delete()
        session.query(Variable).delete()

"""The sandbox's server: start, stop, and the Airflow Connection to it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest
import requests
from sandbox_client import CREATE

from airflow_provider_alloincognito.sandbox import Sandbox


def test_the_connection_leads_to_the_sandbox_with_its_token(sandbox: Sandbox) -> None:
    connection = sandbox.connection()
    assert connection == {
        "conn_type": "alloincognito",
        "host": "127.0.0.1",
        "schema": "http",
        "port": sandbox.port,
        "password": sandbox.authorization_token,
    }
    assert json.loads(json.dumps(connection)) == connection


def test_the_connection_takes_extras_and_another_password(sandbox: Sandbox) -> None:
    connection = sandbox.connection(password="other", pair_store="memory", retries=0)
    assert connection["password"] == "other"
    assert connection["extra"] == {"pair_store": "memory", "retries": 0}
    assert connection["port"] == sandbox.port


def test_many_sandboxes_start_and_stop_quickly() -> None:
    began = time.monotonic()
    for _ in range(10):
        with Sandbox() as sandbox:
            assert requests.get(sandbox.url + CREATE, timeout=5).status_code == 401
    assert time.monotonic() - began < 8  # waiting for open connections would take a second for each
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.port


def test_the_sandbox_imports_neither_the_client_nor_pytest() -> None:
    code = (
        "import sys, airflow_provider_alloincognito.sandbox, airflow_provider_alloincognito.sandbox.app\n"
        "loaded = [name for name in sys.modules if name.startswith('airflow')]\n"
        "ours = {'airflow_provider_alloincognito', 'airflow_provider_alloincognito.extras'}\n"
        "assert all(n in ours or '.sandbox' in n for n in loaded), loaded\n"
        "assert 'pytest' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stopping_during_a_stall_is_quick_and_quiet(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(calls_per_day=5) as sandbox:
        sandbox.configure(latency={"refresh": 60})
        sandbox.add_fault("stall", method="create")
        waiting = []
        for name in ("create", "refresh"):
            connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=5)
            connection.sendall(f"GET {sandbox.settings.paths[name]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            waiting.append(connection)
        while sandbox.count("create") + sandbox.count("refresh") < 2:
            time.sleep(0.005)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    for connection in waiting:
        connection.close()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")

"""The sandbox as a program, and its pytest fixtures."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_client import CALL_LIST, CREATE, MONDAY

from airflow_provider_alloincognito.sandbox import Sandbox

A_USERS_TEST = """
        import json, os, requests

        def test_one(alloincognito_connection, alloincognito_sandbox):
            assert alloincognito_connection == "alloincognito_default"
            connection = json.loads(os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"])
            assert connection["conn_type"] == "alloincognito"
            url = "{schema}://{host}:{port}".format(**connection)
            assert url == alloincognito_sandbox.url
            answer = requests.get(
                url + "/api/v1/auth/integrationapi/create",
                headers={"Authorization": "Bearer " + connection["password"]},
                timeout=5,
            )
            assert answer.json()["accessToken"]
            assert alloincognito_sandbox.count("create", status=200) == 1

        def test_two():
            assert "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT" not in os.environ
"""

PROGRAM = [sys.executable, "-m", "airflow_provider_alloincognito.sandbox"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, Any]]:
    config = tmp_path / "settings.json"
    config.write_text(json.dumps({"calls_per_day": 20, "authorization_token": "made-by-hand"}))
    command = [*PROGRAM, "--port", "0", "--config", str(config), "--set", "period_end=inclusive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield {**json.loads(process.stdout.readline()), "process": process}
        process.kill()


def test_it_serves_and_says_where(running: dict[str, Any]) -> None:
    url = running["url"]
    assert url == f"http://127.0.0.1:{running['port']}"
    assert running["authorization_token"] == "made-by-hand"
    pair = requests.get(url + CREATE, headers={"Authorization": "Bearer made-by-hand"}, timeout=5).json()
    headers = {"Authorization": f"Bearer {pair['accessToken']}"}
    rows = requests.post(url + CALL_LIST, json=MONDAY, headers=headers, timeout=5).json()["result"]["rowset"]
    truth = Sandbox(calls_per_day=20)
    assert rows == truth.truth("2025-06-02", "2025-06-03T00:00:01")
    assert requests.get(running["admin"] + "/state", timeout=5).json()["rotations"] == 1
    # uvicorn's own loop and transports, too, must be able to break off.
    for kind in ("reset", "cut"):
        requests.post(running["admin"] + "/faults", json={"kind": kind}, timeout=5).raise_for_status()
        with pytest.raises(requests.RequestException):
            requests.post(url + CALL_LIST, json=MONDAY, headers=headers, timeout=5)
    running["process"].send_signal(signal.SIGINT)
    assert running["process"].wait(10) == 0


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_truth_in_a_file(tmp_path: Path, zone: str | None) -> None:
    target = tmp_path / "truth.jsonl"
    command = [*PROGRAM, "--set", "calls_per_day=20", "truth", "2025-06-02", "2025-06-03", str(target)]
    subprocess.run([*command, *(["--tz", zone] if zone else [])], check=True, capture_output=True)
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    shift = "T03:00:00" if zone else ""
    assert rows == Sandbox(calls_per_day=20).truth(f"2025-06-02{shift}", f"2025-06-03{shift}")


def test_bad_knobs_end_it(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "--set", "call_per_day=1"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean 'calls_per_day'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_a_missing_server_names_the_extra(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from airflow_provider_alloincognito.sandbox.__main__ import main; sys.exit(main(['--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'airflow-provider-alloincognito[sandbox]'" in done.stderr


def test_it_imports_nothing_of_the_client_and_no_pytest() -> None:
    code = (
        "import sys, airflow_provider_alloincognito.sandbox, airflow_provider_alloincognito.sandbox.app\n"
        "loaded = [name for name in sys.modules if name.startswith('airflow')]\n"
        "assert all(n == 'airflow_provider_alloincognito' or '.sandbox' in n for n in loaded), loaded\n"
        "assert 'pytest' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_fixtures(tmp_path: Path) -> None:
    plugin = "airflow_provider_alloincognito.sandbox.pytest_plugin"
    (tmp_path / "conftest.py").write_text(f"pytest_plugins = [{plugin!r}]")
    (tmp_path / "test_dag.py").write_text(textwrap.dedent(A_USERS_TEST))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_many_sandboxes_start_and_stop_quickly() -> None:
    began = time.monotonic()
    for _ in range(10):
        with Sandbox() as sandbox:
            assert requests.get(sandbox.url + CREATE, timeout=5).status_code == 401
    assert time.monotonic() - began < 3
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.port

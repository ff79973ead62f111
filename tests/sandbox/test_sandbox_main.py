"""The sandbox as a program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_client import CALL_LIST, CREATE, MONDAY

from airflow_provider_alloincognito.sandbox import METHODS, ROW_FIELDS, Sandbox, SandboxSettings
from airflow_provider_alloincognito.sandbox.names import ANSWER_FIELDS, PARAMETERS
from airflow_provider_alloincognito.sandbox.presets import RENAMED

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


def test_it_serves_and_prints_its_address(running: dict[str, Any]) -> None:
    url = running["url"]
    assert url == f"http://127.0.0.1:{running['port']}"
    assert running["authorization_token"] == "made-by-hand"
    pair = requests.get(url + CREATE, headers={"Authorization": "Bearer made-by-hand"}, timeout=5).json()
    headers = {"Authorization": f"Bearer {pair['accessToken']}"}
    rows = requests.post(url + CALL_LIST, json=MONDAY, headers=headers, timeout=5).json()["result"]["rowset"]
    truth = Sandbox(calls_per_day=20)
    assert rows == truth.truth("2025-06-02", "2025-06-03T00:00:01")
    assert requests.get(running["admin"] + "/state", timeout=5).json()["rotations"] == 1
    # In the foreground uvicorn chooses its own loop and transports: it must be able to close a connection there too.
    for kind in ("reset", "cut"):
        requests.post(running["admin"] + "/faults", json={"kind": kind}, timeout=5).raise_for_status()
        with pytest.raises(requests.RequestException):
            requests.post(url + CALL_LIST, json=MONDAY, headers=headers, timeout=5)
    running["process"].send_signal(signal.SIGINT)
    assert running["process"].wait(10) == 0


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_truth_is_written_to_a_file(tmp_path: Path, zone: str | None) -> None:
    target = tmp_path / "truth.jsonl"
    command = [*PROGRAM, "--set", "calls_per_day=20", "truth", "2025-06-02", "2025-06-03", str(target)]
    subprocess.run([*command, *(["--tz", zone] if zone else [])], check=True, capture_output=True)
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    shift = "T03:00:00" if zone else ""
    assert rows == Sandbox(calls_per_day=20).truth(f"2025-06-02{shift}", f"2025-06-03{shift}")


def test_a_preset_can_be_changed_by_other_settings(tmp_path: Path) -> None:
    target = tmp_path / "truth.jsonl"
    command = [*PROGRAM, "--preset", "renamed", "--set", "calls_per_day=20"]
    subprocess.run([*command, "truth", "2025-06-02", "2025-06-03", str(target)], check=True, capture_output=True)
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert rows == Sandbox(**{**RENAMED, "calls_per_day": 20}).truth("2025-06-02", "2025-06-03")
    assert {"begin_time", "audio_id"} < set(rows[0])


def test_a_preset_has_another_name_for_everything() -> None:
    usual, renamed = SandboxSettings(), SandboxSettings(**RENAMED)
    assert not set(usual.paths.values()) & set(renamed.paths.values())
    for parameter in (name for names in PARAMETERS.values() for name in names):
        assert renamed.parameter_name(parameter) != usual.parameter_name(parameter)
    for field in ANSWER_FIELDS:
        for method in METHODS:
            assert renamed.place_of(field, method) != usual.place_of(field, method)
    assert set(RENAMED["row_fields"]) == set(ROW_FIELDS)


def test_an_unknown_setting_ends_the_program_with_a_hint(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "--set", "call_per_day=1"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean 'calls_per_day'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "pydantic"])
def test_a_missing_library_names_the_extra(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from airflow_provider_alloincognito.sandbox.__main__ import main; sys.exit(main(['--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if missing == "pydantic" else 2)
    assert "pip install 'fastapi>=" in done.stderr

"""The pytest fixtures for users' tests."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

A_USERS_TEST = """
        import json, os, requests

        def test_with_the_connection(alloincognito_connection, alloincognito_sandbox):
            assert alloincognito_connection == "alloincognito_default"
            connection = json.loads(os.environ["AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT"])
            assert connection["conn_type"] == "alloincognito"
            url = "{schema}://{host}:{port}".format(**connection)
            assert url == alloincognito_sandbox.url
            response = requests.get(
                url + "/api/v1/auth/integrationapi/create",
                headers={"Authorization": "Bearer " + connection["password"]},
                timeout=5,
            )
            assert response.json()["accessToken"]
            assert alloincognito_sandbox.count("create", status=200) == 1

        def test_without_it():
            assert "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT" not in os.environ
"""


def test_the_fixtures_set_the_connection(tmp_path: Path) -> None:
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

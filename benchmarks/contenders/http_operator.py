"""Airflow's HttpOperator, in a task: ``python -m benchmarks.contenders.http_operator calls|recordings URL FOLDER``."""

from __future__ import annotations

import base64
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.http.operators.http import HttpOperator

from benchmarks.common.in_task import run_in_task


def land_calls(folder: Path, response: Any) -> int:
    """Write the rows as JSON lines."""
    rows = response.json()["result"]["rowset"]
    with (folder / "calls.jsonl").open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return len(rows)


def land_recording(folder: Path, response: Any) -> int:
    """Write the recording."""
    return (folder / "recording.mp3").write_bytes(base64.b64decode(response.json()["result"]["fileContent"]))


def main(what: str, url: str, folder: str) -> None:
    """Land as the operator's documentation shows: its ``response_filter`` gets the whole response."""
    method, land = {"calls": ("POST", land_calls), "recordings": ("GET", land_recording)}[what]
    address = urlsplit(url)
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = f"http://{address.netloc}"
    run_in_task(
        partial(
            HttpOperator,
            task_id=what,
            endpoint=address.path,
            method=method,
            data="{}" if method == "POST" else None,
            headers={"Content-Type": "application/json", "Authorization": "Bearer an-access-token"},
            response_filter=partial(land, Path(folder)),
            log_response=False,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

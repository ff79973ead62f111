"""Airflow's HttpOperator in a task: ``... http_operator URL FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.http.operators.http import HttpOperator

from benchmarks.common.in_task import run_in_task


def main(url: str, folder: str) -> None:
    """Land one answer in the way that the operator offers: its ``response_filter`` sees the whole answer."""
    address = urlsplit(url)
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = f"http://{address.netloc}"
    path = Path(folder, "calls.jsonl")

    def land(response: Any) -> int:
        rows = response.json()["result"]["rowset"]
        with path.open("w") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
        return len(rows)

    run_in_task(
        lambda start, stop: HttpOperator(
            task_id="calls",
            endpoint=address.path,
            method="POST",
            data="{}",
            headers={"Content-Type": "application/json", "Authorization": "Bearer an-access-token"},
            response_filter=land,
            log_response=False,
            pre_execute=start,
            post_execute=stop,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

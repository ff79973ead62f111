"""Airflow's HttpOperator in a task: ``... http_operator URL FOLDER``."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.http.operators.http import HttpOperator

from benchmarks.common.in_task import run_in_task


def main(url: str, folder: str) -> None:
    """Land one recording in the way that the operator offers: its ``response_filter`` sees the whole answer."""
    address = urlsplit(url)
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = f"http://{address.netloc}"

    def land(response: Any) -> int:
        content = base64.b64decode(response.json()["result"]["fileContent"])
        return Path(folder, "recording.mp3").write_bytes(content)

    run_in_task(
        lambda start, stop: HttpOperator(
            task_id="recording",
            endpoint=address.path,
            method="GET",
            headers={"Authorization": "Bearer an-access-token"},
            response_filter=land,
            log_response=False,
            pre_execute=start,
            post_execute=stop,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

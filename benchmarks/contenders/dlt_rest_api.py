"""dlt's rest_api source into its filesystem destination: ``... dlt_rest_api URL jsonl|parquet FOLDER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "RUNTIME__LOG_LEVEL": "ERROR",
}

import dlt
import pyarrow.parquet  # noqa: F401
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source

from benchmarks.common.stopwatch import measured


def main(url: str, file_format: str, folder: str) -> None:
    """Land one response."""
    address = urlsplit(url)
    source = rest_api_source(
        {
            "client": {
                "base_url": f"http://{address.netloc}",
                "auth": {"type": "bearer", "token": "an-access-token"},
                "paginator": "single_page",
            },
            "resources": [
                {
                    "name": "calls",
                    "endpoint": {
                        "path": address.path,
                        "method": "POST",
                        "json": {"direction": 0},
                        "data_selector": "result.rowset",
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "calls",
        destination=filesystem(Path(folder).as_uri()),
        dataset_name="landed",
        pipelines_dir=str(Path(folder).parent / "work"),
    )
    with measured():
        pipeline.run(source, loader_file_format=file_format)


if __name__ == "__main__":
    main(*sys.argv[1:])

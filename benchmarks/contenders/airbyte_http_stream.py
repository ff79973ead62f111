"""airbyte-cdk's HttpStream, read record by record: ``... airbyte_http_stream URL FOLDER``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.sources.streams.http.requests_native_auth import TokenAuthenticator

from benchmarks.common.stopwatch import measured


class Calls(HttpStream):
    """The call list as its stream."""

    primary_key = None
    http_method = "POST"

    def __init__(self, url: str) -> None:
        super().__init__(authenticator=TokenAuthenticator("an-access-token"))
        self._address = urlsplit(url)

    @property
    def url_base(self) -> str:
        return f"http://{self._address.netloc}"

    def path(self, **_: Any) -> str:
        return self._address.path

    def request_body_json(self, *_: Any, **__: Any) -> Mapping[str, Any]:
        return {"direction": 0}

    def next_page_token(self, response: Any) -> None:
        return None

    def parse_response(self, response: Any, **_: Any) -> Iterable[Mapping[str, Any]]:
        yield from response.json()["result"]["rowset"]


def main(url: str, folder: str) -> None:
    """Land one response."""
    stream = Calls(url)
    with measured(), Path(folder, "calls.jsonl").open("w") as file:
        for record in stream.read_records(SyncMode.full_refresh):
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

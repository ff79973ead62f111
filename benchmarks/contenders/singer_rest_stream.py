"""singer-sdk's RESTStream, its messages into a file: ``... singer_rest_stream URL FOLDER``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from singer_sdk import RESTStream, Stream, Tap, typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator

from benchmarks.common.bodies import SCHEMA
from benchmarks.common.stopwatch import measured

TYPES = {"int64": th.IntegerType, "bool": th.BooleanType}


class Calls(RESTStream[Any]):
    """The call list as its stream."""

    name = "calls"
    http_method = "POST"
    records_jsonpath = "$.result.rowset[*]"
    schema = th.PropertiesList(
        *(th.Property(name, TYPES.get(type_name, th.StringType)) for name, type_name in SCHEMA.items())
    ).to_dict()

    @property
    def url_base(self) -> str:
        return f"http://{urlsplit(self.config['url']).netloc}"

    @property
    def path(self) -> str:
        return str(urlsplit(self.config["url"]).path)

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        return BearerTokenAuthenticator(token="an-access-token")

    def prepare_request_payload(self, context: Any, next_page_token: Any) -> dict[str, Any]:
        return {"direction": 0}


class Benchmark(Tap):
    """A tap of one stream."""

    name = "tap-benchmark"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType)).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [Calls(self)]


def main(url: str, folder: str) -> None:
    """Land one response."""
    with Path(folder, "calls.jsonl").open("w") as file, contextlib.redirect_stdout(file):
        tap = Benchmark(config={"url": url})
        with measured():
            tap.sync_all()


if __name__ == "__main__":
    main(*sys.argv[1:])

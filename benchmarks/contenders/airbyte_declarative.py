"""airbyte-cdk with a declarative manifest, its messages into a file: ``... airbyte_declarative URL FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from benchmarks.common.stopwatch import measured

SCHEMA = {"type": "object", "additionalProperties": True, "properties": {}}
CATALOG = {
    "streams": [
        {
            "stream": {"name": "calls", "json_schema": SCHEMA, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def manifest(url: str) -> dict[str, object]:
    """The source as its YAML would be."""
    address = urlsplit(url)
    stream = {
        "type": "DeclarativeStream",
        "name": "calls",
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": f"http://{address.netloc}",
                "path": address.path,
                "http_method": "POST",
                "request_body_json": {"direction": 0},
                "authenticator": {"type": "BearerAuthenticator", "api_token": "an-access-token"},
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["result", "rowset"]},
            },
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA},
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["calls"]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def main(url: str, folder: str) -> None:
    """Land one response."""
    work = Path(folder).parent
    config, catalog = work / "config.json", work / "catalog.json"
    config.write_text("{}")
    catalog.write_text(json.dumps(CATALOG))
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(CATALOG), config={}, state=None, source_config=manifest(url)
    )
    arguments = AirbyteEntrypoint.parse_args(["read", "--config", str(config), "--catalog", str(catalog)])
    with measured(), Path(folder, "calls.jsonl").open("w") as file:
        for message in AirbyteEntrypoint(source).run(arguments):
            if '"RECORD"' in message:
                file.write(message + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

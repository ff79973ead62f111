"""The contenders that land calls, and how each is started."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.common.environments import python_of
from benchmarks.common.in_task import make_airflow
from benchmarks.common.race import Contender

TO_FILE, ORJSON = "*floor:* `requests` to a file", "*floor:* `orjson.loads` alone"
READER, OPERATOR = "**the provider's reader**", "**the provider's operator, in a task**"
HTTP_OPERATOR, DLT = "Airflow HttpOperator, in a task", "dlt rest_api"
AIRBYTE, AIRBYTE_STREAM = "airbyte-cdk declarative", "airbyte-cdk HttpStream"
SINGER = "singer-sdk RESTStream"
DUCKDB, POLARS = "DuckDB, from JSON lines on disk", "polars, from JSON lines on disk"
MANY_ROWS = 500_000
ROUNDS_OF_SLOW = 3


class Contenders:
    """
    All contenders of a run, with the environments that they need.

    :param server: the server's URL.
    :param peers: names of environments of other packages to measure.
    """

    def __init__(self, server: str, peers: Sequence[str], stack: ExitStack) -> None:
        self._server = server
        self._peers = {peer: python_of(peer) for peer in peers}
        self._floors = python_of("floors")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-airflow-")))
        self._airflow = make_airflow(home / "provider")
        self._environments: dict[str, dict[str, str]] = {}
        if "HttpOperator" in peers:
            self._environments["HttpOperator"] = make_airflow(home / "peer", self._peers["HttpOperator"])

    def all(self, rows: int, suffix: str) -> list[Contender]:
        """Return those that can land so many rows in this format."""
        url, check = f"{self._server}/rows/{rows}", partial(check_rows, rows)
        rounds = ROUNDS_OF_SLOW if rows >= MANY_ROWS else None
        peers = [
            Contender(
                name, module, arguments, self._peers[peer], self._environments.get(peer, {}), check=check, rounds=rounds
            )
            for name, peer, module, arguments in _peers(url, suffix)
            if peer in self._peers
        ]
        return [
            Contender(TO_FILE, "floor", ("to-file", url), self._floors),
            Contender(ORJSON, "floor", ("orjson", url), self._floors),
            Contender(READER, "reader", ("calls", self._server, str(rows), suffix), check=check),
            self.operator(rows, suffix),
            *peers,
        ]

    def operator(self, rows: int, suffix: str, days: int = 1) -> Contender:
        """Return the operator, with so many daily windows in one task."""
        arguments = ("calls", self._server, str(rows), suffix, str(days))
        name = OPERATOR if days == 1 else f"{OPERATOR}, {days} windows"
        return Contender(name, "operator", arguments, environment=self._airflow, check=partial(check_rows, rows * days))


def _peers(url: str, suffix: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Return name, environment, module and arguments of each."""
    dlt = (DLT, "dlt", "dlt_rest_api", (url, suffix))
    if suffix == "parquet":
        lines = [(name, peer, "json_lines", (peer, url)) for name, peer in ((DUCKDB, "duckdb"), (POLARS, "polars"))]
        return [dlt, *lines]
    return [
        (HTTP_OPERATOR, "HttpOperator", "http_operator", ("calls", url)),
        dlt,
        (AIRBYTE, "airbyte-cdk", "airbyte_declarative", (url,)),
        (AIRBYTE_STREAM, "airbyte-cdk", "airbyte_http_stream", (url,)),
        (SINGER, "singer-sdk", "singer_rest_stream", (url,)),
    ]


def check_rows(rows: int, folder: Path) -> None:
    """Raise unless a contender's folder has so many rows."""
    import pyarrow.parquet

    landed = 0
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            landed += pyarrow.parquet.read_metadata(path).num_rows
        elif path.suffix == ".jsonl" and not path.parent.name.startswith("_dlt"):
            with path.open("rb") as file:
                landed += sum(_is_row(line) for line in file)
    if landed != rows:
        raise RuntimeError(f"{landed} rows landed instead of {rows}.")


def _is_row(line: bytes) -> bool:
    return line.startswith(b"{") and not line.startswith((b'{"type":"SCHEMA"', b'{"type":"STATE"'))

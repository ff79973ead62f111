"""Who lands calls, and how each is started."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common.environments import python_of
from benchmarks.common.in_task import make_airflow
from benchmarks.common.race import Contender

MODULES = "benchmarks.calls.contenders"
TO_FILE, ORJSON = "*floor:* `requests` to a file", "*floor:* `orjson.loads` alone"
READER, OPERATOR = "**the provider's reader**", "**the provider's operator, in a task**"
HTTP_OPERATOR, DLT = "Airflow HttpOperator, in a task", "dlt rest_api"
AIRBYTE, AIRBYTE_STREAM = "airbyte-cdk declarative", "airbyte-cdk HttpStream"
SINGER = "singer-sdk RESTStream"
MANY_ROWS = 500_000
ROUNDS_OF_SLOW = 3


class Field:
    """
    All contenders of a run. Their environments are made when they are first asked for.

    :param stand: the server's address.
    :param peers: names of environments to be measured beside the provider.
    """

    def __init__(self, stand: str, peers: Sequence[str], stack: ExitStack) -> None:
        self._stand = stand
        self._peers = {peer: python_of(peer) for peer in peers}
        self._floors = python_of("floors")
        self._home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-airflow-")))
        self._airflow = make_airflow(self._home / "provider")
        if "HttpOperator" in peers:
            self._peers_airflow = make_airflow(self._home / "peer", self._peers["HttpOperator"])

    def contenders(self, rows: int, suffix: str) -> list[Contender]:
        """Everybody who can land so many rows in this format."""
        url = f"{self._stand}/rows/{rows}"
        found = [
            Contender(TO_FILE, f"{MODULES}.floor", ("to-file", url), self._floors),
            Contender(ORJSON, f"{MODULES}.floor", ("orjson", url), self._floors),
            Contender(READER, f"{MODULES}.reader", (self._stand, str(rows), suffix), check=lands(rows)),
            self.operator(rows, suffix),
        ]
        rounds = ROUNDS_OF_SLOW if rows >= MANY_ROWS else None
        for name, peer, module, arguments in _peers(url, suffix):
            if peer in self._peers:
                environment = self._peers_airflow if peer == "HttpOperator" else {}
                python = self._peers[peer]
                found.append(
                    Contender(name, f"{MODULES}.{module}", arguments, python, environment, lands(rows), rounds)
                )
        return found

    def operator(self, rows: int, suffix: str, days: int = 1) -> Contender:
        """The operator, with so many daily windows in one task."""
        arguments = (self._stand, str(rows), suffix, str(days))
        name = OPERATOR if days == 1 else f"{OPERATOR}, {days} windows"
        return Contender(name, f"{MODULES}.operator", arguments, environment=self._airflow, check=lands(rows * days))


def _peers(url: str, suffix: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    dlt = (DLT, "dlt", "dlt_rest_api", (url, suffix))
    if suffix == "parquet":
        return [dlt]
    return [
        (HTTP_OPERATOR, "HttpOperator", "http_operator", (url,)),
        dlt,
        (AIRBYTE, "airbyte-cdk", "airbyte_declarative", (url,)),
        (AIRBYTE_STREAM, "airbyte-cdk", "airbyte_http_stream", (url,)),
        (SINGER, "singer-sdk", "singer_rest_stream", (url,)),
    ]


class lands:
    """
    Checks that the rows did land, all of them.

    :param rows: so many.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __call__(self, folder: Path) -> None:
        """Count the rows that a contender left."""
        import pyarrow.parquet

        landed = 0
        for path in folder.rglob("*"):
            if path.suffix == ".parquet":
                landed += pyarrow.parquet.read_metadata(path).num_rows
            elif path.suffix == ".jsonl" and not path.parent.name.startswith("_dlt"):
                with path.open("rb") as file:
                    landed += sum(_is_row(line) for line in file)
        if landed != self._rows:
            raise RuntimeError(f"{landed} rows landed, not {self._rows}")


def _is_row(line: bytes) -> bool:
    return line.startswith(b"{") and not line.startswith((b'{"type":"SCHEMA"', b'{"type":"STATE"'))

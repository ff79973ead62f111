"""What the documentation quotes of errors is what the package and the example DAGs say."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

import airflow_provider_alloincognito

PACKAGE = Path(airflow_provider_alloincognito.__file__).parent
EXAMPLES = PACKAGE.parent / "example_dags"
TROUBLESHOOTING = PACKAGE.parent / "docs" / "troubleshooting.md"
OWN = "## No error, but"


def quotes() -> list[str]:
    """Return what the first columns of the tables of errors quote."""
    tables = TROUBLESHOOTING.read_text(encoding="utf-8").partition(OWN)[0]
    return re.findall(r"^\| `([^`]+)`", tables, re.MULTILINE)


@cache
def texts() -> str:
    """Return all texts in the code, with a mark where a value comes in."""
    found = []
    for path in chain(PACKAGE.rglob("*.py"), EXAMPLES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_tables_are_found() -> None:
    assert len(quotes()) > 20


@pytest.mark.parametrize("quote", quotes())
def test_a_quoted_error_exists(quote: str) -> None:
    # Some words of a quote are values in the code: a method, a status, a verb, a variable.
    parts = re.split(r"\.\.\.|getcalllist|error 40\d|write|AIRFLOW_VAR_", quote.removeprefix("...,"))
    pattern = r"[^\n]*".join(re.escape(part.strip(" :,")) for part in parts if part.strip(" :,"))
    assert re.search(pattern, texts()), "it quotes an error that does not exist"

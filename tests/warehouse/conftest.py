"""One server of each kind for all tests; each test begins with an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from loads import Loader
from warehouses import KINDS, Warehouse


@pytest.fixture(scope="session")
def every_warehouse() -> Iterator[dict[str, Warehouse]]:
    """All of them, as the tests before have left them."""
    with ExitStack() as stack:
        yield {kind.name: stack.enter_context(kind.start()) for kind in KINDS}


@pytest.fixture(params=[kind.name for kind in KINDS])
def warehouse(request: pytest.FixtureRequest, every_warehouse: dict[str, Warehouse]) -> Warehouse:
    """Every kind of warehouse, empty."""
    found = every_warehouse[request.param]
    found.empty()
    return found


@pytest.fixture
def loader(warehouse: Warehouse, tmp_path: Path) -> Loader:
    """The example DAG that loads into it."""
    return Loader(warehouse, tmp_path)

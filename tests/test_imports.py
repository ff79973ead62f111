"""Imports run one way: operators, sensors, triggers -> hooks, landing -> api; the sandbox stands alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_alloincognito

PACKAGE = "airflow_provider_alloincognito"
ROOT = Path(airflow_provider_alloincognito.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))
# What each part of the package may import of the others.
ALLOWED = {
    "api": {"api"},
    "landing": {"landing", "api"},
    "hooks": {"hooks", "landing", "api", "get_provider_info"},
    "sandbox": {"sandbox"},
    "get_provider_info": set(),
    "__init__": set(),
    "triggers": {"triggers", "hooks", "landing", "api"},
    "sensors": {"sensors", "operators", "triggers", "hooks", "landing", "api"},
    "operators": {"operators", "triggers", "hooks", "landing", "api"},
}
NO_AIRFLOW = {"api", "landing", "sandbox", "get_provider_info", "__init__"}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path, *, only_at_load: bool) -> Iterator[str]:
    """The modules that a file imports; ``only_at_load`` leaves out functions and ``if TYPE_CHECKING``."""

    def walk(node: ast.AST) -> Iterator[str]:
        if only_at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if only_at_load and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return walk(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_part_imports_only_what_it_may(path: Path) -> None:
    part = part_of(path)
    assert part in ALLOWED, "a new part: say what it may import"
    # What is only named for types binds nothing when it runs, but even there the sandbox stands alone.
    alone = part == "sandbox"
    names = {name.split(".")[1] for name in imported(path, only_at_load=not alone) if name.startswith(f"{PACKAGE}.")}
    assert names - {"__version__"} <= ALLOWED[part]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_sandbox(path: Path) -> None:
    if part_of(path) != "sandbox":
        assert not [name for name in imported(path, only_at_load=False) if name.startswith(f"{PACKAGE}.sandbox")]


@pytest.mark.parametrize(
    "path", [path for path in FILES if part_of(path) in NO_AIRFLOW], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_airflow_at_module_level(path: Path) -> None:
    assert not [name for name in imported(path, only_at_load=True) if name.split(".")[0] == "airflow"]


def test_the_provider_info_imports_nothing() -> None:
    assert list(imported(ROOT / "get_provider_info.py", only_at_load=False)) == []


def test_the_walk_would_find_one() -> None:
    hook = ROOT / "hooks" / "alloincognito.py"
    assert "airflow.providers.common.compat.sdk.BaseHook" in set(imported(hook, only_at_load=True))
    lazy = set(imported(hook, only_at_load=False)) - set(imported(hook, only_at_load=True))
    assert f"{PACKAGE}.landing.files.whole_file" in lazy


def test_the_client_loads_without_airflow() -> None:
    program = (
        f"import sys; import {PACKAGE}.api.client, {PACKAGE}.api.results, {PACKAGE}.get_provider_info;"
        "sys.exit('airflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

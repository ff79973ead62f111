"""Imports run one way, without a circle of files or folders; the sandbox and the rest import nothing of each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import airflow_provider_alloincognito

PACKAGE = "airflow_provider_alloincognito"
ROOT = Path(airflow_provider_alloincognito.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))
FOUNDATION = ["amounts", "extras", "scrubbing", "errors"]
API = [
    "api.times",
    "api.backoff",
    "api.log_limit",
    "api.wait_log",
    "api.mapping",
    "api.settings",
    "api.query",
    "api.methods",
    "api.answer",
    "api.tokens",
    "api.transport",
    "api.results",
]
LANDING = ["landing.stores", "landing.tables", "landing.formats", "landing.rewriting", "landing"]
AIRFLOW = ["compat", "assets", *LANDING, "links", "hooks", "triggers", "operators", "sensors", "loading"]
# From the ground up: each part may import those before it.
ORDER = ["", "get_provider_info", *FOUNDATION, *API, "api", *AIRFLOW, "cli", "__main__"]
NO_AIRFLOW = ("", "get_provider_info", *FOUNDATION, "api", "landing", "sandbox")


def module_of(path: Path) -> str:
    """A file's dotted name within the package; the package itself is the empty name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path, *, lazy: bool = True, types: bool = False) -> Iterator[str]:
    """
    The modules and names that a file imports.

    :param lazy: also those that are imported within functions.
    :param types: also those that are only imported for type checkers.
    """

    def walk(node: ast.AST) -> Iterator[str]:
        if not lazy and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if not types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return walk(ast.parse(path.read_text()))


def own_modules(path: Path, *, lazy: bool = True, types: bool = False) -> set[str]:
    """The modules of this package that a file imports."""
    found = set()
    for name in imported(path, lazy=lazy, types=types):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            parts = name.split(".")[1:]
            while ".".join(parts) not in MODULES:
                parts.pop()
            found.add(".".join(parts))
    return found - {module_of(path)}


def part_of(module: str) -> str:
    """The longest part of ``ORDER``, or the sandbox, that a module is in."""
    parts = [part for part in (*ORDER, "sandbox") if module == part or module.startswith(f"{part}.")]
    return max(parts, key=len, default="?")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_is_below_it(path: Path) -> None:
    part = part_of(module_of(path))
    assert part != "?", "a new part: give it its place in ORDER"
    if part == "sandbox":
        assert {part_of(module) for module in own_modules(path, types=True)} <= {"extras", "sandbox"}
        return
    below = ORDER[: ORDER.index(part) + 1]
    assert {part_of(module) for module in own_modules(path)} <= set(below)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_sandbox(path: Path) -> None:
    if part_of(module_of(path)) != "sandbox":
        assert not [name for name in own_modules(path, types=True) if part_of(name) == "sandbox"]


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {module: own_modules(path) for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_no_folders_import_each_other_in_a_circle() -> None:
    """A folder's own files may lie below and above its subfolders; ``ORDER`` says which."""
    folders: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        here = folder_of(module)
        others = {folder_of(other) for other in own_modules(path)}
        folders.setdefault(here, set()).update(one for one in others if not are_nested(one, here))
    TopologicalSorter(folders).prepare()


def are_nested(one: str, other: str) -> bool:
    """Whether one of two folders is, or is in, the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.") or "" in (one, other)


def folder_of(module: str) -> str:
    """The folder that a module's file is in; the package's own folder is the empty name."""
    return ".".join(MODULES[module].relative_to(ROOT).parent.parts)


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
    assert "landing.recordings" in own_modules(MODULES["hooks.alloincognito"])
    assert "landing.recordings" not in own_modules(MODULES["hooks.alloincognito"], lazy=False)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if part_of(module_of(path)).split(".")[0] in NO_AIRFLOW],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_airflow_at_module_level(path: Path) -> None:
    assert not [name for name in imported(path, lazy=False) if name.split(".")[0] == "airflow"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_openlineage_is_only_imported_when_it_asks(path: Path) -> None:
    assert not [name for name in imported(path, lazy=False, types=True) if "openlineage" in name]


def test_the_provider_info_imports_nothing() -> None:
    assert list(imported(ROOT / "get_provider_info.py", types=True)) == []


def test_the_client_loads_without_airflow() -> None:
    program = (
        f"import sys; import {PACKAGE}.api.transport.client, {PACKAGE}.api.results, {PACKAGE}.get_provider_info;"
        "sys.exit('airflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

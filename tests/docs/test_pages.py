"""The documentation's pages: both languages have the same code, and what is not run is valid at least."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
from pathlib import Path

import cli_page
import duckdb
import pytest
from blocks import DOCS, REPOSITORY, TRANSLATED, Block, blocks, pages

EVERY = [block for page in pages() for block in blocks(page)]
IN_BOTH = ["index.md", "tutorial.md", *(str(page.relative_to(DOCS)) for page in sorted(DOCS.glob("howto/*.md")))]
# What a block of docs/examples.md takes from a file.
INCLUDED = re.compile(r'--8<-- "example_dags/([\w.]+)"')
PACKAGE = "airflow_provider_alloincognito"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def of(language: str) -> list[Block]:
    return [block for block in EVERY if block.language == language]


@pytest.mark.parametrize("page", pages("ru"), ids=lambda page: page.name)
def test_both_languages_have_the_same_code(page: Path) -> None:
    english = page.with_name(page.name.removesuffix(TRANSLATED) + ".md")
    assert [(one.language, one.how, one.text) for one in blocks(page)] == [
        (one.language, one.how, one.text) for one in blocks(english)
    ]


@pytest.mark.parametrize("page", pages("ru"), ids=lambda page: page.name)
def test_both_languages_have_the_same_sections_links_and_pictures(page: Path) -> None:
    english = page.with_name(page.name.removesuffix(TRANSLATED) + ".md")
    for pattern in (r"^#+ ", r"\]\([^)]*\)"):
        found = [re.findall(pattern, one.read_text(encoding="utf-8"), re.MULTILINE) for one in (page, english)]
        assert sorted(found[0]) == sorted(found[1])


@pytest.mark.parametrize("page", [page for page in IN_BOTH if not page.endswith(TRANSLATED)])
def test_tutorial_and_how_to_pages_are_translated(page: str) -> None:
    assert (DOCS / page).with_suffix(".ru.md").exists()


def test_the_readme_links_to_files_that_exist() -> None:
    links = LINK.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://") and not (REPOSITORY / link).exists()] == []


@pytest.mark.parametrize("block", of("bash"), ids=str)
def test_commands_are_valid(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert checked.stderr == ""


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_valid(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("ini"), ids=str)
def test_configuration_is_valid(block: Block) -> None:
    configparser.ConfigParser(interpolation=None).read_string(block.text)


@pytest.mark.parametrize("block", [block for block in of("sql") if not INCLUDED.match(block.text)], ids=str)
def test_sql_is_valid(block: Block) -> None:
    with duckdb.connect() as db:
        assert db.extract_statements(block.text)


def test_the_page_of_examples_has_every_example() -> None:
    shown = [name for block in EVERY if block.page == "docs/examples.md" for name in INCLUDED.findall(block.text)]
    there = [path.name for path in (REPOSITORY / "example_dags").iterdir() if path.suffix in (".py", ".sql")]
    assert sorted(shown) == sorted(there)


def test_what_the_examples_import_is_public() -> None:
    """Users copy them: what they import must be in the first row of the page's table, or in the row about them."""
    table = (DOCS / "versions.md").read_text(encoding="utf-8").partition("## What is public")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    public, beside = (
        set(re.findall(r"`([\w.]+)`", next(row for row in rows if row.startswith(f" {about}"))))
        for about in ("classes and functions in", "what the [example DAGs]")
    )
    imported = {
        (node.module.removeprefix(f"{PACKAGE}."), alias.name)
        for path in (REPOSITORY / "example_dags").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}.")
        for alias in node.names
    }
    assert {f"{module}.{name}" for module, name in imported if module not in public} == beside


def test_the_page_of_commands_is_up_to_date() -> None:
    assert cli_page.PAGE.read_text(encoding="utf-8") == cli_page.page(), "run python tests/docs/cli_page.py"


def test_every_block_says_what_it_is() -> None:
    known = {"bash", "python", "sql", "json", "ini", "dockerfile", "text", "console"}
    assert [str(block) for block in EVERY if block.language not in known] == []

"""The extras: their floors, which no Airflow's constraints may exclude, and the commands that errors give for them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from airflow_provider_alloincognito.errors import AlloincognitoMissingExtraError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ["parquet", "zstd", "redis", "sandbox", "demo"]
LISTS = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in EXTRAS)]
REQUIREMENTS = [one for texts in LISTS for one in map(Requirement, texts) if one.name != PROJECT["name"]]
# From the constraints file that Airflow published with 3.0; older than what constraints/releases/ has.
PUBLISHED_3_0 = {
    "apache-airflow-providers-redis": "4.1.0",
    "apache-airflow-providers-standard": "1.2.0",
    "cryptography": "42.0.8",
    "duckdb": "1.3.0",
    "fastapi": "0.115.12",
    "httpx": "0.27.0",
    "ijson": "3.4.0",
    "msgspec": "0.19.0",
    "pendulum": "3.1.0",
    "pyarrow": "16.1.0",
    "redis": "5.2.1",
    "requests": "2.32.3",
    "tenacity": "9.1.2",
    "urllib3": "2.4.0",
    "uvicorn": "0.34.2",
    "zstandard": "0.23.0",
}
RELEASES = sorted((ROOT / "constraints" / "releases").glob("*.txt"))


def pins_in(path: Path) -> dict[str, str]:
    """Return the version of each distribution; where it depends on the Python, the last one."""
    return dict(line.partition(" ;")[0].strip().split("==") for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    "pins", [PUBLISHED_3_0, *map(pins_in, RELEASES)], ids=["published with 3.0", *(path.stem for path in RELEASES)]
)
def test_no_floor_is_above_what_an_airflow_is_installed_with(pins: dict[str, str]) -> None:
    too_high = [
        f"{requirement}: {pins[requirement.name]}"
        for requirement in REQUIREMENTS
        if requirement.name in pins and not requirement.specifier.contains(pins[requirement.name])
    ]
    assert too_high == []


def test_all_requirements_are_in_the_pins() -> None:
    for path in RELEASES:
        assert {one.name for one in REQUIREMENTS} <= set(pins_in(path)), path


@pytest.mark.parametrize("extra", ["parquet", "zstd", "redis", "sandbox"])
def test_an_error_gives_a_command_that_needs_no_index_with_this_package(extra: str) -> None:
    command = str(AlloincognitoMissingExtraError("This", extra)).partition("pip install ")[2].partition(" (")[0]
    names = {Requirement(one).name for one in command.strip("'").split("' '")}
    assert names == {Requirement(one).name for one in PROJECT["optional-dependencies"][extra]}

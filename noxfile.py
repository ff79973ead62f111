"""
The package on every Airflow that it supports, with the versions of everything at the time of its release.

``make matrix`` runs all of it, one environment after the other, and writes the table of versions in README.md. With
``nox`` at hand, ``nox --list`` lists the sessions, and ``nox --session "release(3.3.2-3.12)"`` runs one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["release", "newest", "lowest", "table"]

ROOT = Path(__file__).parent
DISTRIBUTION = "airflow-provider-alloincognito"
EXTRAS = ["parquet", "zstd", "redis", "sandbox", "demo"]
MODULES_OF_EXTRAS = ["hooks.redis_store", "landing.tables.arrow", "sandbox"]
TEST_TOOLS = ["hypothesis", "pytest", "pytest-mock"]
EXAMPLES = "tests/operators/test_example_dags.py"
TOKENS = "tests/hooks/test_variable_store.py"
WAITS = "tests/operators/test_deferring.py::test_a_result_that_is_not_ready_is_awaited"
CORE_SUITE = [
    "tests/cli/test_commands.py",
    "tests/test_provider_info.py::test_airflow_knows_the_hook",
    "tests/test_provider_info.py::test_the_documentation_is_where_the_description_says",
    f"{TOKENS}::test_the_first_run_makes_a_pair_and_later_runs_use_it",
    f"{TOKENS}::test_variables_hold_no_readable_token",
    f"{TOKENS}::test_a_pair_that_another_process_stored_is_used",
    f"{TOKENS}::test_a_token_that_was_read_from_the_store_is_masked",
    f"{TOKENS}::test_an_environment_variable_that_hides_the_pair_is_named_before_any_request",
    f"{EXAMPLES}::test_three_days_of_calls_in_files_and_warehouse",
    f"{EXAMPLES}::test_recordings_are_fetched_in_chunks",
    f"{EXAMPLES}::test_a_result_is_requested_and_fetched_by_its_hash",
    f"{WAITS}[sensor-4-environment]",
    f"{WAITS}[call list-5-environment]",
    "tests/triggers/test_new_calls.py::TestRestarts::test_a_restarted_watcher_goes_on",
    "tests/triggers/test_watermark_stores.py::TestVariable::test_it_keeps_what_was_saved_last",
    f"{EXAMPLES}::test_a_stream_run_loads_each_window_of_its_events_once",
]
# Airflow itself, and what it brings, warn of much.
WARNINGS = "filterwarnings=ignore\nerror::DeprecationWarning:airflow_provider_alloincognito"


class Release(NamedTuple):
    """A version of Airflow, the day whose versions of everything it is tested with, and the Pythons it supports."""

    airflow: str
    day: str
    pythons: list[str]

    @property
    def pins(self) -> str:
        return f"constraints/releases/{self.airflow}.txt"


RELEASES = [
    Release("2.11.0", "2025-05-23", ["3.11", "3.12"]),
    Release("2.11.2", "2026-03-20", ["3.11", "3.12"]),
    Release("3.0.6", "2025-09-01", ["3.11", "3.12"]),
    Release("3.1.8", "2026-03-15", ["3.11", "3.12", "3.13"]),
    Release("3.2.2", "2026-06-15", ["3.11", "3.12", "3.13"]),
    Release("3.3.2", "2026-10-02", ["3.11", "3.12", "3.13"]),
]
TABLE, TABLE_END = "<!-- written by make matrix -->", "<!-- end -->"
NEWEST = "apache-airflow==3.3.*"
LOWEST = RELEASES[0]


class Row(NamedTuple):
    """A line of the table, for one Python."""

    airflow: str
    python: str
    versions: str
    passed: bool


ROWS: list[Row] = []
WHEELS: list[str] = []


def find_pyenv() -> None:
    """Put pyenv's Pythons on the PATH; its own shims run only those that are switched on."""
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], check=True, capture_output=True, text=True).stdout.strip()
        folders = sorted(map(str, Path(root).glob("versions/3.*/bin")), reverse=True)
        os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])


find_pyenv()


@nox.session
@nox.parametrize(
    ("python", "release"),
    [nox.param(python, one, id=f"{one.airflow}-{python}") for one in RELEASES for python in one.pythons],
)
def release(session: nox.Session, release: Release) -> None:
    """A release of Airflow, with the versions of its time."""
    pins = ["--constraint", release.pins]
    with row(session, release.day):
        install(session, f"apache-airflow=={release.airflow}", *TEST_TOOLS, *pins)
        install_beside_airflow(session, *pins)
        run_core_suite(session)


@nox.session(python=RELEASES[-1].pythons[-1])
def newest(session: nox.Session) -> None:
    """The newest Airflow, with the newest versions of everything."""
    with row(session, f"today ({date.today()})"):
        install(session, NEWEST, *TEST_TOOLS)
        install_beside_airflow(session)
        run_core_suite(session)


@nox.session(python=LOWEST.pythons[0])
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows."""
    with row(session, "the floors in pyproject.toml"):
        extras = [option for extra in EXTRAS for option in ("--extra", extra)]
        until = ["--exclude-newer", LOWEST.day]  # for what the floors' own dependencies bring
        install(session, "--requirement", "pyproject.toml", *extras, "--resolution", "lowest-direct", *until)
        install(session, *TEST_TOOLS, *until)
        install(session, "--no-deps", wheel(session))
        run_core_suite(session)


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Print what passed; if all sessions ran, write it into README.md."""
    lines = ["| Airflow | Python | versions of | result |", "| --- | --- | --- | --- |"]
    for (airflow, versions, passed), rows in groupby(ROWS, lambda row: (row.airflow, row.versions, row.passed)):
        pythons = ", ".join(row.python for row in rows)
        lines.append(f"| {airflow} | {pythons} | {versions} | {'passes' if passed else 'FAILS'} |")
    text = "\n".join(lines)
    print(text)
    if len(ROWS) == sum(len(one.pythons) for one in RELEASES) + 2:
        readme = ROOT / "README.md"
        before, _, rest = readme.read_text().partition(f"{TABLE}\n")
        readme.write_text(f"{before}{TABLE}\n{text}\n{TABLE_END}{rest.partition(TABLE_END)[2]}")
        session.log("README.md has this table.")


@nox.session(default=False, python=LOWEST.pythons[0])
def pins(session: nox.Session) -> None:
    """Write constraints/releases/: the newest versions of each release's day, whatever the floors of this package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in EXTRAS)]
    names = {re.split(r"[^\w-]", one)[0] for texts in lists for one in texts} - {"apache-airflow", DISTRIBUTION}
    requirements = Path(session.create_tmp()) / "requirements.in"
    options = ["--quiet", "--universal", "--python-version", LOWEST.pythons[0], "--upgrade", "--no-header"]
    options += ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    for one in RELEASES:
        requirements.write_text("\n".join([f"apache-airflow=={one.airflow}", *names, *TEST_TOOLS]))
        where = ["--exclude-newer", one.day, "--output-file", one.pins]
        session.run("uv", "pip", "compile", str(requirements), *options, *where, silent=True)


@contextmanager
def row(session: nox.Session, versions: str) -> Iterator[None]:
    """Keep Airflow's files in the session's folder; add a line to the table when it ends."""
    shutil.rmtree(session.create_tmp())
    session.env["AIRFLOW_HOME"] = str(Path(session.create_tmp()).absolute() / "airflow")
    passed = False
    try:
        yield
        passed = True
    finally:
        airflow = versions_in(session).get("apache-airflow", "none")
        ROWS.append(Row(airflow, str(session.python), versions, passed))


def install(session: nox.Session, *arguments: str) -> None:
    """Install with uv."""
    session.install("--quiet", *arguments)


def install_beside_airflow(session: nox.Session, *pins: str) -> None:
    """Install the wheel alone, then with its extras. Neither may change a version that is there."""
    check_installing(session, f"{DISTRIBUTION} @ file://{wheel(session)}", *pins)
    session.run("python", "tests/every_module.py", *MODULES_OF_EXTRAS)
    check_installing(session, f"{DISTRIBUTION}[{','.join(EXTRAS)}] @ file://{wheel(session)}", *pins)
    session.run("python", "tests/every_module.py")


def check_installing(session: nox.Session, requirement: str, *pins: str) -> None:
    """Install a requirement; it must replace nothing, neither in uv's plan nor in what is installed afterwards."""
    before = versions_in(session)
    plan = session.run("uv", "pip", "install", "--dry-run", requirement, *pins, silent=True)
    replaced = re.findall(r"^ [-~] (\S+)", str(plan), re.MULTILINE)
    install(session, requirement, *pins)
    after = versions_in(session)
    replaced += [f"{name}=={version}" for name, version in before.items() if after.get(name) != version]
    if replaced:
        session.error(f"Installing {requirement} replaces {', '.join(replaced)}.")


def run_core_suite(session: nox.Session) -> None:
    """See that Airflow lists the provider, then run the core suite, on the wheel: no source is in the folder."""
    if DISTRIBUTION not in str(session.run("airflow", "providers", "list", silent=True)):
        session.error("airflow providers list does not list the provider.")
    folder = Path(session.create_tmp()) / "suite"
    for name in ("tests", "services", "example_dags"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    with session.chdir(folder):
        session.run("pytest", "--quiet", "--show-capture=no", "-o", WARNINGS, *CORE_SUITE)


def versions_in(session: nox.Session) -> dict[str, str]:
    """Return the version of each distribution that is installed."""
    listed = session.run("uv", "pip", "list", "--format", "json", silent=True, stderr=subprocess.DEVNULL)
    return {one["name"]: one["version"] for one in json.loads(str(listed))}


def wheel(session: nox.Session) -> str:
    """Return the path of the wheel, which the first session builds."""
    if not WHEELS:
        folder = session.cache_dir.absolute() / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder))
        WHEELS.extend(map(str, folder.glob("*.whl")))
    return WHEELS[0]

"""
The commands of the tutorial and of the how-to guides, as a reader types them: from an empty machine on.

One shell for each page, one after the other, in the home that the tutorial fills: the guides go on where it ends. The
servers of the examples are a sandbox in which everything is other than assumed, a real S3 and a real Redis.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from blocks import DOCS, REPOSITORY, Block, blocks, pages
from s3_server import ACCESS_KEY, S3, SECRET_KEY

from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings
from airflow_provider_alloincognito.sandbox.presets import PRESETS
from services.ports import free_port
from services.redis_server import RedisServer

# In the order in which they are read. Each goes on where those before it end.
PAGES = [
    "tutorial.md",
    "howto/first-contact.md",
    "howto/s3.md",
    "howto/workers.md",
    "howto/accounts.md",
    "howto/backfill.md",
    "howto/another-token.md",
    "howto/testing.md",
    "dags.md",
    "connection.md",
    "network.md",
    "deployment.md",
]
LONGEST = 1200.0
THE_FIRST_NIGHT = """
until airflow dags list-runs alloincognito_daily_calls --output plain 2> /dev/null | grep scheduled__ | grep -q success
do sleep 5; done
echo "== the scheduled run" $(date +%T)
"""
ZONE = ZoneInfo(PRESETS["renamed"]["timezone"])

pytestmark = [pytest.mark.commands, pytest.mark.long]


def commands(page: Path) -> list[Block]:
    """Return the blocks of a page that are run, and the files that it has the reader write."""
    on = [block for block in blocks(page) if block.language == "bash" or (block.language == "python" and block.file)]
    return [block for block in on if not block.how.startswith("not run")]


@dataclass(frozen=True)
class Machine:
    """
    An empty machine.

    :param home: the home of its user.
    :param environment: what its user has in the environment.
    :param substitutes: what stands in the documentation, and what is there instead.
    """

    home: Path
    environment: dict[str, str]
    substitutes: dict[str, str]

    def run(self, page: Path, folder: Path, *, then: str = "") -> None:
        """
        Run the commands of a page in one shell; fail with what they printed if one of them fails.

        :param page: the page.
        :param folder: where its reader is.
        :param then: a command that ends when what the page has started has done its work.
        """
        script = [
            "set -euo pipefail",
            f"[ ! -e {self.home}/alloincognito ] || source {self.home}/alloincognito/bin/activate",
        ]
        script += [f"cd {folder}", f"export AIRFLOW_HOME={self.home}/airflow"]
        script += [part for number, block in enumerate(commands(page)) for part in self._lines(block, folder, number)]
        script.append(then)
        log = self.home / f"{page.stem}.log"
        with log.open("wb") as printed:
            shell = subprocess.Popen(
                ["bash", "-c", "\n".join(script)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            code = shell.wait(LONGEST)
        finally:
            stop_all_of(shell.pid)
        assert code == 0, log.read_text()[-6000:]

    def _lines(self, block: Block, folder: Path, number: int) -> Iterator[str]:
        text = block.text
        for old, new in self.substitutes.items():
            text = text.replace(old, new)
        if block.language == "python":
            path = folder / str(block.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif block.how == "background":
            yield f"(\n{text}) > {self.home}/background-{number}.log 2>&1 &"
        elif block.how == "a server without a document":
            yield f"(export AIRFLOW_HOME={self.home}/other SERVER=$OTHER_SERVER ALLOINCOGNITO_TOKEN=$OTHER_TOKEN"
            yield f"airflow db migrate\n{text})"
        else:
            yield f"echo '== {block}' $(date +%T)"
            yield text


def stop_all_of(group: int) -> None:
    """Stop what a shell has started in the background, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        for number, patience in ((signal.SIGTERM, 60.0), (signal.SIGKILL, 10.0)):
            os.killpg(group, number)
            give_up = time.monotonic() + patience
            while time.monotonic() < give_up:
                os.killpg(group, 0)  # raises once nobody is left
                time.sleep(0.5)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    settings = SandboxSettings.of({**PRESETS["renamed"], "calls_per_day": 60, "recording_bytes": (720, 7200)})
    with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def other_sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls_per_day=60, recording_bytes=(720, 7200)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, other_sandbox: Sandbox, s3: S3
) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("home")
    s3.file_system().mkdir("bucket")
    port = free_port()
    bare = {name: os.environ[name] for name in os.environ if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))}
    path = os.pathsep.join(part for part in bare["PATH"].split(os.pathsep) if "/.venv" not in part)
    environment = {
        **bare,
        "PATH": path,
        "HOME": str(home),
        "ALLOINCOGNITO_TOKEN": sandbox.authorization_token,  # instead of the prompt
        "OTHER_SERVER": other_sandbox.url,
        "OTHER_TOKEN": other_sandbox.authorization_token,
        "MOSCOW_TOKEN": sandbox.authorization_token,
        "OMSK_TOKEN": sandbox.authorization_token,
        # Ports that nothing else uses, and settings as they are on a fresh machine otherwise.
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(home))
        yield Machine(
            home,
            environment,
            {
                "https://webapi.alloincognito.ru:4431": sandbox.url,
                "--constraint constraints.txt": f"--constraint {REPOSITORY}/constraints/airflow-3.3.txt",
                # The guides are not read in the clone, which is elsewhere.
                "'.[redis]'": f"'{REPOSITORY}[redis]'",
                "'../airflow-provider-alloincognito[": f"'{REPOSITORY}[",
                "https://storage.yandexcloud.net": f"http://127.0.0.1:{s3.port}",
                "AWS_KEY=YCAJ...": f"AWS_KEY={ACCESS_KEY}",
                "AWS_SECRET=YCM...": f"AWS_SECRET={SECRET_KEY}",
                '"redis.example", "port": 6379': f'"127.0.0.1", "port": {redis.port}',
            },
        )


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page(machine: Machine, sandbox: Sandbox, s3: S3, tmp_path: Path, name: str) -> None:
    began = time.monotonic()
    # The tutorial is read in a copy of the repository, the guides anywhere.
    is_tutorial = name == "tutorial.md"
    machine.run(DOCS / name, REPOSITORY if is_tutorial else tmp_path, then=THE_FIRST_NIGHT if is_tutorial else "")
    print(f"{name}: {len(commands(DOCS / name))} blocks in {time.monotonic() - began:.0f} s")
    if name == "howto/s3.md":
        assert s3.file_system().exists("bucket/alloincognito/calls/date=2026-03-03/calls.parquet")
    if is_tutorial:
        check_that_yesterday_has_landed(machine, sandbox)


def check_that_yesterday_has_landed(machine: Machine, sandbox: Sandbox) -> None:
    """Compare the table with the sandbox's own list."""
    today = datetime.now(ZONE).date()
    yesterday = today - timedelta(days=1)
    program = (
        "import duckdb, json, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as db:\n"
        "    query = 'SELECT call_id, path FROM calls LEFT JOIN recordings USING (date, record_file_id)'\n"
        "    print(json.dumps(db.sql(query).fetchall()))"
    )
    python = machine.home / "alloincognito" / "bin" / "python"
    table = subprocess.check_output([python, "-c", program, machine.home / "airflow" / "alloincognito.duckdb"])
    landed = dict(json.loads(table))
    truth = {str(row["id"]): row["audio_id"] for row in sandbox.truth(str(yesterday), str(today))}
    assert landed.keys() == truth.keys()
    for call, audio in truth.items():
        path = landed[call]
        assert (path is None) == (audio is None)
        if path is not None:
            assert Path(path.removeprefix("file://")).read_bytes() == sandbox.recording(audio)


def test_each_substitute_stands_for_something(machine: Machine) -> None:
    text = "".join(block.text for page in PAGES for block in commands(DOCS / page))
    assert [old for old in machine.substitutes if old not in text] == []


def test_every_command_is_run_or_says_why_not() -> None:
    others = {str(page.relative_to(DOCS)): page for page in pages() if page.is_relative_to(DOCS)}
    left_out = [page for name, page in others.items() if name not in PAGES and commands(page)]
    assert [str(block) for page in left_out for block in commands(page)] == []

"""The table of commands: light at Airflow's start, and the same for Airflow and for ``python -m``."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from airflow_provider_alloincognito.cli import get_cli_commands
from airflow_provider_alloincognito.cli.commands import COMMANDS, GROUP, build_parser, load

HEAVY = ["airflow", "asgiref", "cryptography", "httpx", "jsonschema", "msgspec", "pyarrow", "requests", "rich", "yaml"]


def test_airflows_start_stays_light() -> None:
    """Airflow 3.2 and newer import all of this whenever they start."""
    program = (
        "import sys; import airflow_provider_alloincognito.cli; "
        "from airflow_provider_alloincognito.cli.commands import build_parser; build_parser(); "
        f"print(*sys.modules.keys() & {set(HEAVY)})"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == []


def actions(parser: argparse.ArgumentParser) -> list[tuple[str, ...]]:
    return [tuple(action.option_strings) or (action.dest,) for action in parser._actions]


def test_airflow_is_given_the_same_arguments() -> None:
    (group,) = get_cli_commands()
    assert group.name == GROUP
    assert [command.name for command in group.subcommands] == list(COMMANDS)
    for command in group.subcommands:
        of_airflow, ours = argparse.ArgumentParser(), argparse.ArgumentParser()
        for argument in command.args:
            argument.add_to_parser(of_airflow)
        load(command.name).add_arguments(ours)
        assert actions(of_airflow) == actions(ours)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = load(name)
    assert not module.HELP.endswith(".")
    assert all(line.startswith(("  airflow alloincognito ", "      ")) for line in module.EXAMPLES.splitlines())
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args([name, "--help"])
    assert end.value.code == 0
    assert f"python -m airflow_provider_alloincognito {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_can_be_parsed(name: str) -> None:
    import shlex

    text = load(name).EXAMPLES.replace("\\\n", " ")
    for line in text.splitlines():
        assert build_parser().parse_args(shlex.split(line)[2:]).command == name


@pytest.mark.parametrize(
    "line",
    [
        "calls --number=79161234567 --period-start a --period-end b",
        "calls --window 8(916)123-45-67",
        "check 79161234567",
        "check -o eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl",
        "check --password opaque79161234567",
        "79161234567",
    ],
)
def test_wrong_usage_quotes_nothing_personal(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(line.split())
    shown = capsys.readouterr().err
    assert "error: " in shown
    assert not [part for part in ("123", "eyJ", "opaque") if part in shown]


@pytest.mark.parametrize(
    "line",
    ["check --tokn=SECRET", "check --tok=SECRET", "check --tok=SECRET could match X", "check -vSECRET", "check SECRET"],
)
def test_the_value_of_a_mistyped_option_is_not_quoted(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    for parser in (build_parser(), airflows_parser()):
        with pytest.raises(SystemExit):
            parser.parse_args(line.split())
        shown = capsys.readouterr().err
        assert "error: " in shown
        assert "SECRET" not in shown
        assert line.split()[1].partition("=")[0].removesuffix("SECRET") in shown


def airflows_parser() -> argparse.ArgumentParser:
    """Return a parser that the commands are in as Airflow has them."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for command in get_cli_commands()[0].subcommands:
        for argument in command.args:
            argument.add_to_parser(commands.add_parser(command.name))
    return parser


def test_an_empty_host_is_not_the_prod_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["check", "--host", ""])
    assert ended.value.code == 2
    assert "it is empty" in capsys.readouterr().err

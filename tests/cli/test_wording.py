"""Errors that are written for tasks, as a command words them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import pytest
from command_runs import DAY

from airflow_provider_alloincognito.cli.wording import in_words_of
from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Any]
OPTIONS = {"period_end": None, "allow_incomplete": False, "unknown_fields": "keep", "start_time_field": None}


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("or set allow_incomplete=True to land", "or set --allow-incomplete to land"),
        ("with unknown_fields='keep'.", "with --unknown-fields keep."),
        ("period_end is '2026-13-45'", "--period-end is '2026-13-45'"),
        ("The setting period_end ('x' in", "The setting period_end ('x' in"),
        ("Set start_time_field, or api_mapping", "Set start_time_field, or api_mapping"),
        ("/data/period_end/calls.csv", "/data/period_end/calls.csv"),
        ("The Connection's host", "The Connection's host"),
    ],
)
def test_arguments_are_options(text: str, ours: str) -> None:
    assert in_words_of(Namespace(**OPTIONS, host=None), text) == ours


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("The Connection's password contains a space", "The token contains a space"),
        ("The password is a JWT", "The token is a JWT"),
        ("Check the Connection's host and its setting verify", "Check --host and its setting verify"),
        ("check numbers_field in the Connection", "check numbers_field (--set)"),
        ("and the Connection's timeout.", "and the setting timeout."),
        ("timezone ('Calls: Time zone' in the Connection's form) is", "timezone (--set) is"),
    ],
)
def test_a_host_is_no_connection(text: str, ours: str) -> None:
    assert in_words_of(Namespace(host="https://x"), text) == ours


def test_commands_speak_of_what_their_user_has(cli: Cli, sandbox: Sandbox, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("two words")
    ran = cli("check", "--host", sandbox.url, "--token-file", file)
    assert "The token contains a space" in ran.out
    assert "Connection's" not in ran.out
    ran = cli("calls", "--host", sandbox.url, "--token-file", file, *DAY)
    assert "The token contains a space" in ran.err

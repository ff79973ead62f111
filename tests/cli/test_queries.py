"""The commands ``calls``, ``recording`` and ``result``."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canary import IN_ERRORS, assert_no_leak
from plain_server import CALL_LIST_PATH, Said

from airflow_provider_alloincognito.sandbox import Sandbox

Cli = Callable[..., Any]
START, END = "2025-06-02", "2025-06-03"
DAY = ("--period-start", START, "--period-end", END)


@pytest.fixture
def stored(sandbox: Sandbox, pair_in_redis: Cli) -> Sandbox:
    """A sandbox whose pair is stored."""
    pair_in_redis(sandbox)
    return sandbox


def rotations(sandbox: Sandbox) -> int:
    return sandbox.count("create") + sandbox.count("refresh")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_calls_go_to_a_file(
    suffix: str, cli: Cli, stored: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("calls", *DAY, "--output-path", f"calls.{suffix}", "-o", "json")
    assert ran.code == 0
    truth = stored.truth(START, END)
    assert ran.document["rows"] == len(truth)
    assert ran.document["path"] == f"file://{tmp_path}/calls.{suffix}"
    assert len(ran.document["request_hashes"]) == 1
    if suffix == "jsonl":
        rows = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
        assert rows == truth
    assert rotations(stored) == 0
    assert_no_leak(stored, START, END, ran.out, ran.err)


def test_a_file_without_numbers(cli: Cli, stored: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_DIGEST_SECRET", "0123456789abcdef")
    path = tmp_path / "calls.jsonl"
    schema = json.dumps(dict.fromkeys(("startTime", "callerNumber", "calledNumber"), "string"))
    protect = ("--protect", "callerNumber=digest", "calledNumber=mask", "--digest-key", "variable://digest_secret")
    row_key = ("--row-key", "key", "--row-key-fields", "startTime", "callerNumber")
    ran = cli("calls", *DAY, "--output-path", path, "--schema", schema, "--unknown-fields", "drop", *protect, *row_key)
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in rows}) == len(stored.truth(START, END))
    assert_no_leak(stored, START, END, path.read_text(), ran.out, ran.err)
    request_hash = cli("calls", *DAY, "-o", "json").document["request_hashes"][0]
    ran = cli("result", request_hash, "--output-path", tmp_path / "again.jsonl", *protect[:-2], *row_key)
    assert ran.code != 0
    assert "--digest-key is missing" in ran.err
    assert cli("calls", *DAY, "--protect", "callerNumber").code == 2


def test_all_filters_are_sent(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    number = sorted(stored.phone_numbers(START, END))[0]
    numbers = tmp_path / "numbers.txt"
    numbers.write_text(f"{number}\n")
    filters = [
        "--direction",
        "incoming",
        "--duration-from",
        1,
        "--duration-to",
        600,
        "--is-call-record",
        "--is-read",
        1,
    ]
    ran = cli("calls", *DAY, "--numbers-file", numbers, *filters, "--window", "43200", "-o", "json")
    assert ran.code == 0
    bodies = [one.body for one in stored.requests if one.method == "getcalllist"]
    assert [body["periodStart"] for body in bodies] == ["2025-06-02 00:00:00", "2025-06-02 12:00:00"]
    wanted = {"direction": 2, "durationFrom": 1, "durationTo": 600, "isCallRecord": 1, "isRead": 1}
    assert all(body.items() >= wanted.items() and body["numbers"] == [number] for body in bodies)
    assert_no_leak(stored, START, END, ran.out, ran.err)


def test_the_first_calls_are_shown_masked(cli: Cli, stored: Sandbox) -> None:
    ran = cli("calls", *DAY, "--rows", "3")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert "startTime" in lines[0]
    assert len(lines) == 5
    assert "2025-06-02 0" in lines[1]
    assert "There are more" in lines[-1]
    assert_no_leak(stored, START, END, ran.out, ran.err)
    document = cli("calls", *DAY, "--rows", "3", "-o", "json").document
    assert len(document["first_rows"]) == 3
    assert "*****" in document["first_rows"][0]["callerNumber"]


def test_a_result_by_its_hash(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    (request_hash,) = cli("calls", *DAY, "-o", "json", "--rows", "100000").document["request_hashes"]
    ran = cli("result", request_hash, "--output-path", tmp_path / "calls.csv", "-o", "json")
    assert ran.code == 0
    with open(tmp_path / "calls.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(stored.truth(START, END))
    assert_no_leak(stored, START, END, ran.out, ran.err)


def test_a_result_that_is_not_ready_is_waited_for(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    stored.configure(call_list_answer="pending", pending_polls=2)
    ran = cli("calls", *DAY, "--poll-interval", "0.1", "--output-path", tmp_path / "calls.jsonl", "-o", "json")
    assert ran.document["rows"] == len(stored.truth(START, END))
    stored.configure(call_list_answer="pending", pending_polls=100)
    ran = cli("calls", *DAY, "--poll-interval", "0.1", "--wait-timeout", "0.3", "-o", "json")
    assert ran.code == 1
    assert "not ready within" in ran.document["error"]["message"]


def test_recordings_go_to_a_folder(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    cli("calls", *DAY, "--output-path", tmp_path / "calls.jsonl")
    ids = [row["recordFileId"] for row in stored.truth(START, END) if row["recordFileId"]]
    ran = cli("recording", ids[0], "--output-path", tmp_path / "one", "-o", "json")
    assert ran.code == 0
    assert (tmp_path / "one" / f"{ids[0]}.mp3").read_bytes() == stored.recording(ids[0])
    every = cli("recording", "--calls", tmp_path / "calls.jsonl", "--output-path", tmp_path / "all")
    assert every.code == 0
    assert f"Fetched {len(ids)}, skipped 0, failed 0" in every.out
    assert_no_leak(stored, START, END, ran.out, ran.err, every.out, every.err)


def test_a_recording_that_is_not_there(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    ran = cli("recording", "6d621781-95c4-4cae-8a1c-ac4757ad8540", "--output-path", tmp_path, "-o", "json")
    assert ran.code == 1
    assert ran.document["failed"] == 1
    assert_no_leak(stored, START, END, ran.out, ran.err)


# The pair


@pytest.mark.parametrize("end", ["kill_pair", "expire_access", "expire_pair"])
def test_a_pair_that_is_not_accepted_is_not_replaced(end: str, cli: Cli, stored: Sandbox) -> None:
    getattr(stored, end)()
    ran = cli("calls", *DAY, "-o", "json", "-v")
    assert ran.code == 1
    assert "does not accept the stored token pair" in ran.document["error"]["message"]
    assert "--make-pair" in ran.document["error"]["message"]
    assert rotations(stored) == 0
    assert_no_leak(stored, START, END, ran.out, ran.err)


def test_without_a_pair_none_is_made(cli: Cli, stored: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(stored.authorization_token)
    access = ("--host", stored.url.replace("127.0.0.1", "localhost"), "--token-file", tmp_path / "token")
    ran = cli("calls", *DAY, "-o", "json", *access, "--set", "pair_store=redis://pairs")  # another server's pair
    assert ran.code == 1
    assert "No token pair is stored yet" in ran.document["error"]["message"]
    assert rotations(stored) == 0


def test_with_make_pair_one_is_made_and_stored(cli: Cli, stored: Sandbox) -> None:
    stored.expire_pair()
    ran = cli("calls", *DAY, "--make-pair", "-o", "json", "-v")
    assert ran.code == 0
    assert rotations(stored) > 0
    assert "Info: AlloIncognito tokens: stored a new pair" in ran.err
    assert_no_leak(stored, START, END, ran.out, ran.err)
    stored.clear_log()
    assert cli("calls", *DAY, "-o", "json").code == 0
    assert rotations(stored) == 0


# Errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--period-start", "soon", "--period-end", END], "--period-start"),
        (["--period-start", END, "--period-end", START], "period"),
        (["--period-start", START, "--period-end", "2099-01-01"], "future"),
        ([*DAY, "--direction", "up"], "direction"),
        ([*DAY, "--numbers", "a-name"], "numbers"),
        ([*DAY, "--output-path", "calls.doc"], "suffix"),
        ([*DAY, "--output-path", "calls.csv", "--schema", "{"], "JSON"),
        ([*DAY, "--numbers-file", "missing.txt"], "numbers"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, cli: Cli, stored: Sandbox) -> None:
    ran = cli("calls", *arguments, "-o", "json")
    assert ran.code == 2
    assert says in ran.document["error"]["message"]
    assert "Traceback" not in ran.err


def test_a_command_line_that_cannot_be_parsed(cli: Cli) -> None:
    ran = cli("calls", "--period-start", START)
    assert ran.code == 2
    assert "--period-end" in ran.err


@pytest.mark.parametrize("kind", ["error", "reject", "malformed_json", "html", "status", "reset"])
@pytest.mark.parametrize("more", [(), ("-v",), ("-o", "json"), ("-o", "json", "-v")])
def test_no_error_shows_a_token_or_a_number(kind: str, more: tuple[str, ...], cli: Cli, stored: Sandbox) -> None:
    stored.add_fault(kind, method="getcalllist", times=None)
    ran = cli("calls", *DAY, *more)
    assert ran.code == 1
    assert ("Traceback" in ran.err) == ("-v" in more)
    if "json" in more:
        assert ran.document["ok"] is False
    assert_no_leak(stored, START, END, ran.out, ran.err)


@pytest.mark.parametrize("more", [(), ("-v",), ("-o", "json")])
def test_tokens_are_known_by_their_value(more: tuple[str, ...], cli: Cli, connect: Cli, plain_server: Cli) -> None:
    """These do not look like tokens."""
    says = b'{"error": {"errorCode": 7, "errorMessage": "the-access-token, the-refresh-token, an-authorization-token"}}'
    connect(plain_server({CALL_LIST_PATH: Said(says)}))
    ran = cli("calls", *DAY, "--make-pair", *more)
    assert ran.code == 1
    assert "<token>" in ran.err + ran.out
    assert not re.search("the-access-token|the-refresh-token|an-authorization-token", ran.err + ran.out)


def test_not_even_an_error_that_nobody_thought_of(cli: Cli, stored: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{stored.authorization_token} and {stored.tokens_ever_issued} called {IN_ERRORS}")

    monkeypatch.setattr("airflow_provider_alloincognito.hooks.alloincognito.AlloincognitoHook.list_calls", broken)
    ran = cli("calls", *DAY, "-v", "-o", "json")
    assert ran.code == 1
    assert "RuntimeError" in ran.document["error"]["message"]
    assert "Traceback" in ran.err
    assert_no_leak(stored, START, END, ran.out, ran.err)


def test_the_canary_is_found() -> None:
    """What the other tests rely on."""
    with Sandbox(calls_per_day=40) as sandbox:
        number = sorted(sandbox.phone_numbers(START, END))[0].lstrip("+")
        token = sandbox.authorization_token
        for text in (number, f"+{number[0]} ({number[1:4]}) {number[4:7]}-{number[7:9]}-{number[9:]}", number[1:]):
            with pytest.raises(AssertionError):
                assert_no_leak(sandbox, START, END, f"a call of {text}")
        for text in (token, token.split(".")[1], token.split(".")[2]):
            with pytest.raises(AssertionError):
                assert_no_leak(sandbox, START, END, f"Bearer {text}")
        assert_no_leak(sandbox, START, END, f"{number[:4]}*****{number[-2:]}")

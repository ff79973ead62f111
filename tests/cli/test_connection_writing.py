"""The Connection that is written: merged with what it had, and its token in nobody's sight."""

from __future__ import annotations

import json
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_alloincognito.cli import airflow_command
from airflow_provider_alloincognito.cli.writing import connection as connection_module
from airflow_provider_alloincognito.cli.writing.connection import PLACEHOLDER, ConnectionDraft
from airflow_provider_alloincognito.compat import Connection, outside_a_task
from airflow_provider_alloincognito.errors import AlloincognitoSetupError
from airflow_provider_alloincognito.hooks.connection import find_connection, read_connection

TOKEN = "eyJhbGciOiJIUzI1NiJ9.canary-of-a-token.sixteen"
DRAFT = ConnectionDraft(
    "calls_test",
    host="http://127.0.0.1:8080",
    login="someone",
    password=TOKEN,
    description="Calls; Звонки",
    extra={"timezone": "Asia/Omsk", "call_list_path": "/a b/'c'?", "api_mapping": {"answer": {"rowset": "data.items"}}},
)


@pytest.fixture(scope="module", autouse=True)
def _airflow_ready(airflow_database: None) -> None:
    """Airflow's own Connections need all of its models."""


def test_settings_are_merged_with_what_it_had() -> None:
    merged = DRAFT.with_settings({"timezone": None, "numbers_field": "phones", "call_list_path": "/calls"})
    assert merged.extra == {
        "call_list_path": "/calls",
        "api_mapping": '{"answer":{"rowset":"data.items"}}',
        "numbers_field": "phones",
    }
    assert merged.has_setting("api_mapping", DRAFT.extra["api_mapping"])
    assert DRAFT.has_setting("api_mapping", merged.extra["api_mapping"])
    assert DRAFT.has_setting("numbers_field", None)
    assert not merged.has_setting("numbers_field", None)
    assert (merged.host, merged.password, merged.description) == (DRAFT.host, TOKEN, DRAFT.description)


def test_another_server_does_not_keep_the_settings_of_the_api() -> None:
    kept = {"timeout": 5, "pair_store": "memory", "my_own": 1}
    draft = replace(DRAFT, extra={**DRAFT.extra, **kept})
    moved = draft.moved_to("http://127.0.0.1:8081", "another")
    assert (moved.extra, moved.password) == (kept, "another")
    assert moved.dropped == ("timezone", "call_list_path", "api_mapping")
    same = draft.moved_to("http://127.0.0.1:8080/docs", TOKEN)
    assert (same.extra, same.dropped) == (draft.extra, ())


def test_airflow_s_connection_is_read_as_it_is() -> None:
    made = Connection(conn_id="c", conn_type="alloincognito", host="h", port=4431, password=TOKEN, extra='{"a": 1}')
    draft = ConnectionDraft.of(made)
    assert (draft.conn_id, draft.host, draft.port, draft.password, draft.extra) == ("c", "h", 4431, TOKEN, {"a": 1})


def test_the_token_is_in_nothing_that_is_shown() -> None:
    for shown in (DRAFT.as_json(), DRAFT.as_uri(), DRAFT.as_add_command(), repr(DRAFT)):
        assert "canary" not in shown


def test_json_is_what_airflow_imports() -> None:
    values = json.loads(DRAFT.as_json())["calls_test"]
    assert values["password"] == PLACEHOLDER
    assert values["extra"] == DRAFT.extra


def test_the_uri_leads_to_the_same_connection() -> None:
    uri = DRAFT.as_uri()
    assert urlsplit(uri).scheme == "alloincognito"
    back = Connection(conn_id="calls_test", uri=uri.replace(PLACEHOLDER, TOKEN))
    assert read_connection(back) == read_connection(
        Connection(
            conn_id="calls_test",
            conn_type="alloincognito",
            host=DRAFT.host,
            login=DRAFT.login,
            password=TOKEN,
            extra=json.dumps(DRAFT.extra),
        )
    )


def test_the_line_for_a_shell_is_quoted() -> None:
    words = shlex.split(DRAFT.as_add_command())
    assert words[:4] == ["airflow", "connections", "add", "calls_test"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    assert json.loads(options["--conn-extra"]) == DRAFT.extra
    assert options["--conn-password"] == "$ALLOINCOGNITO_TOKEN"


def test_a_file_is_for_its_owner_alone_and_keeps_other_connections(tmp_path: Path) -> None:
    path = tmp_path / "connections.json"
    path.write_text('{"other": {"conn_type": "http"}, "calls_test": {"conn_type": "old"}}')
    path.chmod(0o644)
    DRAFT.write(path)
    found = json.loads(path.read_bytes())
    assert found["other"] == {"conn_type": "http"}
    assert found["calls_test"]["password"] == TOKEN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", ["[]", "key=value", "\x00"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(AlloincognitoSetupError, match="was not overwritten"):
        DRAFT.write(path)
    assert path.read_text() == content


def test_a_connection_of_the_environment_is_not_saved_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_TEST", "alloincognito://")
    with pytest.raises(AlloincognitoSetupError, match="AIRFLOW_CONN_CALLS_TEST"):
        DRAFT.save()


def test_airflow_saves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own command line, whose arguments everybody can read."""
    runs: list[tuple[str, ...]] = []

    def run(*arguments: str) -> Any:
        runs.append(arguments)
        assert stat.S_IMODE(Path(arguments[2]).stat().st_mode) == 0o600
        return airflow_command.run_airflow(*arguments)

    monkeypatch.setattr(connection_module, "run_airflow", run)
    DRAFT.save()
    with outside_a_task():
        saved = ConnectionDraft.of(find_connection("calls_test"))
    assert saved == DRAFT
    ((*arguments,),) = runs
    assert "canary" not in " ".join(arguments)
    assert not Path(arguments[2]).exists()


def test_a_connection_that_airflow_does_not_save_is_an_error() -> None:
    with pytest.raises(AlloincognitoSetupError, match="did not save") as error:
        replace(DRAFT, conn_id="no id").save()
    assert "canary" not in str(error.value)

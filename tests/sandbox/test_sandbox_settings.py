"""The settings: validated, with errors that name the setting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_alloincognito.sandbox import SandboxSettings
from airflow_provider_alloincognito.sandbox.settings import setting_from_text


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"call_per_day": 1}, "did you mean 'calls_per_day'"),
        ({"calls_per_day": -1}, "calls_per_day\n.*greater than or equal to 0"),
        ({"calls_per_day": "many"}, "calls_per_day\n.*valid integer"),
        ({"calls_per_day": True}, "calls_per_day\n.*valid integer"),
        ({"period_end": "open"}, "period_end\n.*'inclusive' or 'exclusive'"),
        ({"timezone": "Europe/Atlantis"}, "timezone\n.*unknown IANA zone 'Europe/Atlantis'"),
        ({"row_fields": {"start": "x"}}, "row_fields\n.*no such field"),
        ({"row_fields": {"callId": "duration"}}, "row_fields\n.*one name"),
        ({"row_fields": [1]}, "row_fields\n.*dictionary"),
        ({"recording_bytes": [20, 10]}, "recording_bytes.*\n.*ends before it begins"),
        ({"latency": {"calls": 1}}, "latency.*calls.*\n.*'getcalllist'"),
        ({"latency": -1}, "latency.*\n.*greater than or equal to 0"),
        ({"create_path": "create"}, "create_path\n.*'\\^/'"),
        ({"create_path": "/api/v1/request/getcalllist"}, "one path"),
        ({"auth_rejection": 100}, "auth_rejection\n.*greater than or equal to 200"),
        ({"forbidden_methods": ["x"]}, "forbidden_methods.0\n.*'getcalllist'"),
        ({"faults": [{"kind": "x"}]}, "faults.0.kind\n.*'status'"),
        ({"request_fields": {"from": "x"}}, "request_fields\n.*no request has such a parameter: \\['from'\\]"),
        ({"request_fields": {"periodStart": None}}, "request_fields\n.*can do without \\['periodStart'\\]"),
        ({"request_fields": {"direction": "numbers"}}, "two parameters of getcalllist have one name"),
        ({"request_values": {"direction": {"0": "x", "1": "x"}}}, "request_values\n.*written in one way"),
        ({"request_values": {"callId": {}}}, "request_values.callId.*\n.*'direction'"),
        ({"record_file_path": "/x/{id}"}, "path of getcallrecordfile can only hold its parameter"),
        ({"answer_fields": {"rows": "x"}}, "answer_fields\n.*no response has such a field: \\['rows'\\]"),
        ({"answer_fields": {"rowset": None}}, "answer_fields\n.*can do without rowset"),
        ({"answer_fields": {"code": ""}}, "answer_fields\n.*code cannot be the whole response"),
        ({"answer_fields": {"rowset": "a..b"}}, "answer_fields.rowset"),
        ({"answer_fields": {"rowset": "data", "code": "data.code"}}, "one field of getcalllist is inside another"),
        ({"docs": {"pages": "x"}}, "docs\n.*did you mean 'page'"),
        ({"docs": {"version": "1.2"}}, "docs.version\n.*'2.0'"),
        ({"docs": {"path": None}}, "docs\n.*needs docs.path or docs.address"),
        ({"docs": {"base": "/v2"}}, "docs.base is not the beginning of /api/v1/auth"),
    ],
)
def test_a_bad_setting_is_an_error_that_names_it(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SandboxSettings.of(values)


@pytest.mark.parametrize("values", [{"calls": 1}, {"create_path": SandboxSettings().refresh_path}, {"timezone": 3}])
def test_an_error_does_not_show_the_authorization_token(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="SandboxSettings") as error:
        SandboxSettings(authorization_token="secret-token", **values)
    assert "secret-token" not in str(error.value)


def test_settings_are_immutable_and_can_be_changed_in_a_copy() -> None:
    settings = SandboxSettings(seed=1, authorization_token="secret-token", create_path="/create")
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 2
    changed = settings.but(seed=3)
    assert (changed.seed, changed.create_path, changed.authorization_token) == (3, "/create", "secret-token")
    assert (settings.seed, settings.methods_by_path["/create"]) == (1, "create")
    with pytest.raises(ValueError, match="calls_per_day"):
        settings.but(calls_per_day=-1)
    with pytest.raises(ValueError, match="did you mean 'seed'"):
        settings.but(sed=1)


def test_settings_survive_json() -> None:
    settings = SandboxSettings(
        faults=[{"kind": "reset"}],  # type: ignore[arg-type]
        latency={"*": [0.1, 0.2]},  # type: ignore[dict-item]
        row_fields={"callId": "id"},
        recording_bytes=(1, 2),
        answer_fields={"requestHash": {"*": "id"}, "rowset": ""},
        request_values={"isRead": {"0": False}},
        docs={"left_out": ["refresh"]},  # type: ignore[arg-type]
    )
    assert SandboxSettings.of(json.loads(json.dumps(settings.to_json()))) == settings


def test_the_authorization_token_is_not_shown() -> None:
    settings = SandboxSettings(authorization_token="secret-token")
    assert "secret-token" not in repr(settings)
    assert "secret-token" not in json.dumps(settings.to_json())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=7", ("seed", 7)),
        ("timezone=Asia/Vladivostok", ("timezone", "Asia/Vladivostok")),
        ("recording_bytes=[1, 2]", ("recording_bytes", [1, 2])),
        ("rate_limit=null", ("rate_limit", None)),
        ("empty_rowset=[]", ("empty_rowset", [])),
    ],
)
def test_a_setting_is_read_from_a_command_line(text: str, value: tuple[str, Any]) -> None:
    assert setting_from_text(text) == value


def test_every_setting_is_documented() -> None:
    documented = SandboxSettings.__doc__ or ""
    for name in SandboxSettings().to_json():
        assert f":param {name}:" in documented or name.endswith("_path"), name

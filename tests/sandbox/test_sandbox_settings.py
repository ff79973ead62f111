"""Knobs: checked, with errors that help."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_alloincognito.sandbox import SandboxSettings
from airflow_provider_alloincognito.sandbox.settings import knob_from_text


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"call_per_day": 1}, "did you mean 'calls_per_day'"),
        ({"calls_per_day": -1}, "negative"),
        ({"calls_per_day": "many"}, "expected int"),
        ({"calls_per_day": True}, "expected int"),
        ({"period_end": "open"}, "'inclusive', 'exclusive'"),
        ({"timezone": "Europe/Atlantis"}, "unknown zone"),
        ({"row_fields": {"start": "x"}}, "no such field"),
        ({"row_fields": {"callId": "duration"}}, "one name"),
        ({"row_fields": [1]}, "mapping"),
        ({"recording_bytes": [20, 10]}, "recording_bytes"),
        ({"latency": {"calls": 1}}, "unknown methods"),
        ({"latency": -1}, "seconds"),
        ({"create_path": "create"}, "slash"),
        ({"create_path": "/api/v1/request/getcalllist"}, "one path"),
        ({"auth_rejection": 100}, "HTTP status"),
        ({"forbidden_methods": ["x"]}, "forbidden_methods"),
        ({"faults": [{"kind": "x"}]}, "unknown kind"),
    ],
)
def test_bad_knobs(knobs: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SandboxSettings.of(knobs)


def test_knobs_as_json_come_back() -> None:
    settings = SandboxSettings(
        faults=[{"kind": "reset"}],  # type: ignore[arg-type]
        latency={"*": [0.1, 0.2]},  # type: ignore[dict-item]
        row_fields={"callId": "id"},
        recording_bytes=(1, 2),
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
def test_knobs_from_a_command_line(text: str, value: tuple[str, Any]) -> None:
    assert knob_from_text(text) == value


def test_every_knob_is_documented() -> None:
    documented = SandboxSettings.__doc__ or ""
    for name in SandboxSettings().to_json():
        assert f":param {name}:" in documented or name.endswith("_path"), name

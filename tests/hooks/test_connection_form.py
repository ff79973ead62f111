"""The Connection's form in Airflow 2 and 3, which one definition gives."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.get_provider_info import get_provider_info
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

FIELDS = set(Settings.__struct_fields__) - {"server"}


def connection_type() -> dict[str, object]:
    (only,) = get_provider_info()["connection-types"]  # type: ignore[misc, attr-defined]
    return only  # type: ignore[no-any-return, has-type]


def test_airflow_3_shows_every_setting() -> None:
    fields = connection_type()["conn-fields"]
    assert set(fields) == FIELDS  # type: ignore[call-overload]


def test_airflow_2_shows_every_setting() -> None:
    pytest.importorskip("flask_appbuilder")
    pytest.importorskip("wtforms")
    widgets = AlloincognitoHook.get_connection_form_widgets()
    assert set(widgets) == FIELDS
    assert widgets["call_list_path"].args == ("Paths: Call list",)


def test_every_field_is_in_a_section_and_says_what_it_may_hold() -> None:
    fields: Any = connection_type()["conn-fields"]
    for name, field in fields.items():
        assert field["schema"]["section"] in ("Calls", "Paths", "Network", "Token pair", "Responses"), name
        assert "Empty" in field["description"], name
        for value in field["schema"].get("enum", ()):
            assert f"{value}: " in field["description"], name
    sections = [field["schema"]["section"] for field in fields.values()]
    assert sections == sorted(sections, key=sections.index), "a section is in one piece"


def test_both_have_the_same_labels_and_hidden_fields() -> None:
    behaviour = connection_type()["ui-field-behaviour"]
    assert isinstance(behaviour, dict)
    assert AlloincognitoHook.get_ui_field_behaviour() == {
        name.replace("-", "_"): value for name, value in behaviour.items()
    }
    assert behaviour["relabeling"]["password"] == "Authorization token"


def test_the_defaults_in_the_form_are_those_of_the_settings() -> None:
    fields = connection_type()["conn-fields"]
    assert isinstance(fields, dict)
    shown = {name: one["schema"]["default"] for name, one in fields.items() if "default" in one["schema"]}
    assert shown
    assert shown == {name: getattr(Settings(), name) for name in shown}

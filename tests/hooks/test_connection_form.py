"""The Connection's form: one definition, two Airflows."""

from __future__ import annotations

import pytest

from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.get_provider_info import get_provider_info
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

FIELDS = set(Settings.__struct_fields__) - {"server"}


def connection_type() -> dict[str, object]:
    (only,) = get_provider_info()["connection-types"]  # type: ignore[misc, attr-defined]
    return only  # type: ignore[no-any-return, has-type]


def test_airflow_3_is_given_every_setting() -> None:
    fields = connection_type()["conn-fields"]
    assert set(fields) == FIELDS  # type: ignore[call-overload]


def test_airflow_2_is_given_every_setting() -> None:
    pytest.importorskip("flask_appbuilder")
    pytest.importorskip("wtforms")
    assert set(AlloincognitoHook.get_connection_form_widgets()) == FIELDS


def test_both_hide_and_call_the_same() -> None:
    behaviour = connection_type()["ui-field-behaviour"]
    assert isinstance(behaviour, dict)
    assert AlloincognitoHook.get_ui_field_behaviour() == {
        name.replace("-", "_"): value for name, value in behaviour.items()
    }
    assert behaviour["relabeling"]["password"] == "Authorization token"


def test_a_default_that_a_form_shows_is_the_default() -> None:
    fields = connection_type()["conn-fields"]
    assert isinstance(fields, dict)
    shown = {name: one["schema"]["default"] for name, one in fields.items() if "default" in one["schema"]}
    assert shown
    assert shown == {name: getattr(Settings(), name) for name in shown}

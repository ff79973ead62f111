"""What Airflow learns about this package from its entry point; code: get_provider_info.py."""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_alloincognito import __version__
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.assets import sanitize_uri
from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.get_provider_info import get_provider_info
from airflow_provider_alloincognito.links import ApiDocumentationLink, LandedFileLink

NAME = "airflow-provider-alloincognito"
FIELDS = set(Settings.__struct_fields__) - {"server"}
only_airflow_3 = pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="2.11 takes the form from the hook")


def test_the_entry_point_leads_here() -> None:
    found = [one for one in entry_points(group="apache_airflow_provider") if one.dist and one.dist.name == NAME]
    assert [one.load() for one in found] == [get_provider_info]
    assert distribution(NAME).version == __version__


def test_the_name_is_hyphenated() -> None:
    """With underscores Airflow 3.3 cannot be imported at all."""
    assert get_provider_info()["package-name"] == NAME


def test_it_is_plain_data_and_new_each_time() -> None:
    assert json.loads(json.dumps(get_provider_info())) == get_provider_info()
    assert get_provider_info() is not get_provider_info()


def test_it_is_what_airflows_schema_wants() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import airflow

    path = importlib.resources.files(airflow) / "provider_info.schema.json"
    jsonschema.validate(get_provider_info(), json.loads(path.read_text()))


def test_the_documentation_is_where_the_description_says() -> None:
    folder = re.search(r"share/doc/\S+", str(get_provider_info()["description"]))
    assert folder
    installed = Path(str(distribution(NAME).locate_file(f"../../../{folder[0]}")))
    readme = (installed / "README.md").read_text(encoding="utf-8")
    for page in re.findall(r"\]\(((?:docs|example_dags)/[\w./-]+)", readme):
        assert (installed / page).is_file(), page


@pytest.mark.parametrize("kind", ["operators", "sensors", "hooks", "triggers"])
def test_every_module_that_is_named_is_there(kind: str) -> None:
    for entry in get_provider_info()[kind]:  # type: ignore[attr-defined]
        for module in entry["python-modules"]:
            importlib.import_module(module)


@pytest.fixture(scope="module")
def manager() -> Any:
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()


def test_airflow_lists_the_provider(manager: Any) -> None:
    assert manager.providers[NAME].version == __version__


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")  # tasks have another; the UI has this one
def test_airflow_knows_the_hook(manager: Any) -> None:
    hook = manager.hooks["alloincognito"]
    assert hook.hook_class_name == "airflow_provider_alloincognito.hooks.alloincognito.AlloincognitoHook"
    assert hook.hook_name == "AlloIncognito"
    assert hook.connection_id_attribute_name == "alloincognito_conn_id"
    assert hook.connection_testable


@only_airflow_3
def test_airflow_3_serves_the_form_to_its_ui() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (served,) = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "alloincognito"]
    assert served.extra_fields is not None
    assert set(served.extra_fields) == FIELDS
    period_end = served.extra_fields["period_end"]
    assert period_end["schema"]["enum"] == ["unknown", "inclusive", "exclusive"]
    assert period_end["value"] == "unknown"
    assert served.standard_fields is not None
    assert served.standard_fields.password.title == "Authorization token"
    assert served.standard_fields.login.hidden


@pytest.mark.skipif(AIRFLOW_VERSION >= (3, 0), reason="3 takes the form from the provider info")
def test_airflow_2_serves_the_form_to_its_ui(manager: Any) -> None:
    prefix = "extra__alloincognito__"
    fields = {name.removeprefix(prefix) for name in manager.connection_form_widgets if name.startswith(prefix)}
    assert fields == FIELDS
    assert manager.field_behaviours["alloincognito"]["relabeling"]["password"] == "Authorization token"


@pytest.mark.filterwarnings("ignore:ProvidersManager.asset_uri_handlers is deprecated")
def test_airflow_knows_the_scheme_of_the_assets(manager: Any) -> None:
    kind = "dataset" if AIRFLOW_VERSION < (3, 0) else "asset"
    assert getattr(manager, f"{kind}_uri_handlers")["alloincognito"] is sanitize_uri


def test_airflow_knows_the_links(manager: Any) -> None:
    named = {f"{link.__module__}.{link.__name__}" for link in (ApiDocumentationLink, LandedFileLink)}
    assert named <= set(manager.extra_links_class_names)


def test_airflow_knows_the_setting(manager: Any) -> None:
    options = dict(manager.provider_configs)[NAME]["alloincognito"]["options"]
    assert set(options) == {"file_link"}

"""The URIs of assets, as Airflow normalizes them; code: assets.py. It runs on Airflow 2.11 as well."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from airflow_provider_alloincognito.assets import landed_asset, sanitize_uri
from airflow_provider_alloincognito.compat import Asset


@pytest.mark.parametrize(
    ("dag_id", "task_id", "uri"),
    [
        ("daily", "calls", "alloincognito://daily/calls"),
        ("Daily_calls-2.v1", "group.Calls", "alloincognito://Daily_calls-2.v1/group.Calls"),
        ("день", "calls", "alloincognito://%D0%B4%D0%B5%D0%BD%D1%8C/calls"),
    ],
)
def test_a_dag_and_a_task_have_one_asset(dag_id: str, task_id: str, uri: str) -> None:
    asset = landed_asset(dag_id, task_id)
    assert asset.uri == asset.normalized_uri == uri
    assert asset == Asset(uri=uri)


def test_airflow_normalizes_uris_that_are_written_by_hand() -> None:
    assert Asset(uri="AlloIncognito://daily/%63alls/").uri == "alloincognito://daily/calls"


@pytest.mark.parametrize("uri", ["alloincognito://", "alloincognito://daily", "alloincognito://daily/group/calls"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="must be alloincognito://<dag id>/<task id>"):
        sanitize_uri(urlsplit(uri))

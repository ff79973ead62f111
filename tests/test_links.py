"""The links to landed files in the consoles of their stores; code: links.py."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION
from airflow_provider_alloincognito.links import console_url

TEMPLATE = "AIRFLOW__ALLOINCOGNITO__FILE_LINK"


@pytest.fixture(autouse=True)
def no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEMPLATE, raising=False)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (
            "gs://google@calls/2026/мар т/a b.csv",
            "https://console.cloud.google.com/storage/browser/_details/calls/2026/%D0%BC%D0%B0%D1%80%20%D1%82/a%20b.csv",
        ),
        ("gcs://calls/a.csv", "https://console.cloud.google.com/storage/browser/_details/calls/a.csv"),
        ("abfs://azure@calls/a.csv", "https://portal.azure.com/#browse/Microsoft.Storage%2FStorageAccounts"),
        ("wasb://calls/a.csv", "https://portal.azure.com/#browse/Microsoft.Storage%2FStorageAccounts"),
        ("sftp://files@server/a.csv", None),
        ("file:///data/a.csv", None),
        ("/data/a.csv", None),
    ],
)
def test_each_store_has_its_console(path: str, url: str | None) -> None:
    assert console_url(path) == url


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://console.aws.amazon.com/s3/object/calls?prefix=day%3D1/a.csv"),
        (
            {"endpoint_url": "https://s3.eu-north-1.amazonaws.com"},
            "https://console.aws.amazon.com/s3/object/calls?prefix=day%3D1/a.csv",
        ),
        ({"endpoint_url": "https://storage.yandexcloud.net"}, None),
        ({"client_kwargs": {"endpoint_url": "http://minio:9000"}}, None),
    ],
)
def test_only_amazons_s3_has_amazons_console(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], url: str | None
) -> None:
    attach_s3(monkeypatch, options)
    assert console_url("s3://calls/day=1/a.csv") == url


def attach_s3(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    """Have paths ``s3://`` lead to an S3 with these options, as a Connection's would."""
    import s3fs

    if AIRFLOW_VERSION >= (3, 0):
        from airflow.sdk.io.store import _STORE_CACHE, ObjectStore
    else:
        from airflow.io.store import _STORE_CACHE, ObjectStore
    fs = s3fs.S3FileSystem(anon=True, skip_instance_cache=True, **options)
    monkeypatch.setitem(_STORE_CACHE, "s3", ObjectStore("s3", None, fs))


def test_the_setting_names_the_console_of_another_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEMPLATE, "https://console.example/{scheme}/{bucket}?key={key}")
    assert console_url("s3://conn@calls/day=1/a&b.csv") == "https://console.example/s3/calls?key=day%3D1/a%26b.csv"
    assert console_url("file:///data/a.csv") is None


@pytest.mark.parametrize(
    "template", ["https://console.example/{folder}", "https://{", "https://{0}/{key}", "https://{bucket.name}/{key}"]
)
def test_a_template_that_is_wrong_is_no_link(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, template: str
) -> None:
    monkeypatch.setenv(TEMPLATE, template)
    assert console_url("s3://calls/a.csv") is None
    assert "[alloincognito] file_link" in caplog.text

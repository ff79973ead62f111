"""Where paths lead, for those who name files; code: landing/stores/targets.py."""

from __future__ import annotations

import os

import pytest

from airflow_provider_alloincognito.landing.stores.targets import location, plain_uri


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("s3://conn@bucket/a/b#1?.csv", ("s3", "bucket", "a/b#1?.csv")),
        ("s3n://bucket//a", ("s3", "bucket", "a")),
        ("gcs://bucket/a", ("gs", "bucket", "a")),
        ("az://conn@container/a", ("abfss", "container", "a")),
        ("sftp://host/a", ("sftp", "host", "a")),
        ("local:///data/a", ("file", "", "/data/a")),
        ("a.csv", ("file", "", os.path.abspath("a.csv"))),
    ],
)
def test_location(path: str, place: tuple[str, str, str]) -> None:
    assert location(path) == place


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("file:///data/день.csv", "file:///data/%D0%B4%D0%B5%D0%BD%D1%8C.csv"),
        ("s3://conn@bucket/day=1/a b.csv", "s3://bucket/day=1/a%20b.csv"),
    ],
)
def test_a_uri_is_ascii_and_names_no_connection(path: str, uri: str) -> None:
    assert plain_uri(path) == uri

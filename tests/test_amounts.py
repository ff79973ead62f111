"""Bytes, rows and seconds as people read them; code: amounts.py."""

from __future__ import annotations

import pytest

from airflow_provider_alloincognito.amounts import bytes_text, rows_text, seconds_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (12_149_000, "12.1 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3_400_000_000_000, "3.4 TB"),
        (3_400_000_000_000_000, "3,400.0 TB"),
    ],
)
def test_bytes(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0 s"),
        (0.04, "0 s"),
        (0.5, "0.5 s"),
        (5, "5 s"),
        (9.96, "10 s"),
        (14.4, "14 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86_399, "24 h"),
        (90_000, "1 d 1 h"),
        (604_800, "7 d"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows"), (1, "1 row"), (12_345, "12,345 rows")])
def test_rows(count: int, text: str) -> None:
    assert rows_text(count) == text

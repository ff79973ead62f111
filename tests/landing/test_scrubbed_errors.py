"""Errors of warehouses, without the rows that they quote; code: landing/reading.py."""

from __future__ import annotations

import traceback

import duckdb
import pytest

from airflow_provider_alloincognito.errors import AlloincognitoFormatError, AlloincognitoTargetError
from airflow_provider_alloincognito.landing.reading import scrubbed_errors

OF_POSTGRESQL = """null value in column "row_key" of relation "calls_2026_03" violates not-null constraint
DETAIL:  Failing row contains (2026-03-03, null, 79161234567, Иван).
CONTEXT:  COPY calls, line 1: "2026-03-03,,79161234567,Иван"
"""


def test_a_row_is_not_shown() -> None:
    with pytest.raises(AlloincognitoTargetError, match='null value in column "row_key"') as caught, scrubbed_errors():
        raise RuntimeError(OF_POSTGRESQL)
    shown = "".join(traceback.format_exception(caught.value))
    assert "79161234567" not in shown.partition("raise RuntimeError")[0] + str(caught.value)
    assert "Иван" not in str(caught.value)
    assert "DETAIL" not in shown


def test_a_value_that_cannot_be_converted_is_not_shown() -> None:
    with pytest.raises(AlloincognitoTargetError, match="ConversionException") as caught, scrubbed_errors():
        duckdb.execute("SELECT ('+7 (916) 123-' || '45-67')::BIGINT")
    assert "916" not in "".join(traceback.format_exception(caught.value))


def test_own_errors_pass() -> None:
    with pytest.raises(AlloincognitoFormatError), scrubbed_errors():
        raise AlloincognitoFormatError("not Parquet")

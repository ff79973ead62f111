"""Fields that rows must have; code: landing/tables/fields.py."""

from __future__ import annotations

import msgspec
import pytest

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import AlloincognitoFieldError
from airflow_provider_alloincognito.landing.tables.fields import check_required_fields

ROWS = [b'{"a": 1}', b'{"a": 2, "b": 1e999}', b'{"c": {"d": 3}}']


def checked(*required: str, rows: list[bytes] = ROWS) -> list[bytes]:
    batches = [RowBatch([msgspec.Raw(row)]) for row in rows]
    return [bytes(row) for batch in check_required_fields(batches, required) for row in batch.rows]


@pytest.mark.parametrize("required", [(), ("a",), ("a", "b", "c")])
def test_rows_that_together_have_all_fields_pass(required: tuple[str, ...]) -> None:
    """Values are not checked: a number out of range passes."""
    assert checked(*required) == ROWS


def test_one_name_is_one_field() -> None:
    batches = [RowBatch([msgspec.Raw(b'{"call": 1}')])]
    assert list(check_required_fields(batches, "call")) == batches


def test_no_rows_pass() -> None:
    assert checked("a", rows=[]) == []


@pytest.mark.parametrize("missing", ["d", "A"])
def test_an_error_names_the_missing_field_and_those_that_rows_have(missing: str) -> None:
    with pytest.raises(AlloincognitoFieldError) as caught:
        checked("a", missing)
    for part in (f"['{missing}'] of required_fields", "the rows have a, b, c.", "mapping", "alloincognito sample"):
        assert part in str(caught.value)

"""What a database says of a row that it refuses is in no log: it quotes the row."""

from __future__ import annotations

import pyarrow
import pyarrow.parquet
import pytest
from landed import DAY, day_of, land, made_calls
from loads import Loader

pytestmark = [pytest.mark.long, pytest.mark.warehouse]


def test_an_error_of_a_load_shows_no_number(loader: Loader) -> None:
    """Files that landed before there were keys: PostgreSQL refuses the rows."""
    one = land(loader.files, *day_of(DAY), made_calls(*day_of(DAY), 50))
    path = one.period.calls.removeprefix("file://")
    table = pyarrow.parquet.read_table(path)
    columns = [table[name].to_pylist() for name in ("callerNumber", "calledNumber")]
    ends = {number[-10:] for column in columns for number in column if number}
    nulls = pyarrow.nulls(len(table), "string")
    pyarrow.parquet.write_table(table.set_column(table.schema.get_field_index("row_key"), "row_key", nulls), path)
    outcome = loader.start(one.period).wait()
    if loader.warehouse.name == "postgres":
        assert "AlloincognitoTargetError" in outcome.error
        assert 'null value in column "row_key"' in outcome.error
    assert not [end for end in ends if end in outcome.error]

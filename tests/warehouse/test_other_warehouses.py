"""The DAG of docs/warehouse.md that loads by dlt, with DuckDB in the place of another warehouse."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from landed import DAY, day_of, land, made_calls, table_of_calls
from loads import Load
from warehouses import EXAMPLES

pytestmark = [pytest.mark.long, pytest.mark.warehouse]

dlt = pytest.importorskip("dlt")

PAGE = Path(__file__).parents[2] / "docs" / "warehouse.md"


def test_a_landed_day_replaces_itself(tmp_path: Path) -> None:
    import duckdb

    file, dags = tmp_path / "other.duckdb", tmp_path / "dags"
    dags.mkdir()
    shutil.copy(EXAMPLES / "alloincognito_daily_calls.py", dags)
    code = re.search(r"```python\n(.*?alloincognito_load_dlt.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    (dags / "by_dlt.py").write_text(code[1])
    variables = {
        "ALLOINCOGNITO_FILES": f"file://{tmp_path}/files",
        "DESTINATION__DUCKDB__CREDENTIALS": str(file),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }

    ends, others = day_of(DAY), day_of(DAY + timedelta(days=1))
    other = land(tmp_path / "files", *others, made_calls(*others, 500))
    for version, count in (("a", 1000), ("b", 990)):
        day = land(tmp_path / "files", *ends, made_calls(*ends, count, version))
        outcome = Load(dags, "by_dlt", variables, [day.period, other.period]).wait()
        assert not outcome.error, outcome.error
    wanted = table_of_calls([day, other])
    with duckdb.connect(str(file)) as db:
        columns = ", ".join(wanted.column_names)
        found: Any = db.sql(f"SELECT {columns} FROM telephony.calls ORDER BY date, row_key").to_arrow_table()
    assert found.cast(wanted.schema).to_pylist() == wanted.to_pylist()

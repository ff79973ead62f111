"""Every fault of the tables: the truth lands, or an error says what happened; nothing half, nothing leaked, in time."""

from __future__ import annotations

from collections import Counter

import pytest
import report
from entry import Entry
from judge import problems
from runs import Outcome
from table import KINDS, TABLE

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Airflow 2.11's own
]


def _parameters() -> list[object]:
    return [pytest.param(entry, id=entry.id, marks=[pytest.mark.long] if entry.long else []) for entry in TABLE]


@pytest.mark.parametrize("entry", _parameters())
def test_fault(entry: Entry, outcomes: dict[str, Outcome]) -> None:
    found = problems(outcomes[entry.id])
    assert not found, "\n".join(["", *found])


def test_every_entry_has_a_name_of_its_own_and_a_known_kind() -> None:
    assert [name for name, count in Counter(entry.id for entry in TABLE).items() if count > 1] == []
    assert {entry.kind for entry in TABLE} == set(KINDS)
    assert len(TABLE) >= 120


def test_the_page_about_reliability_is_up_to_date() -> None:
    assert report.PAGE.read_text() == report.page(), "run: python tests/faults/report.py"

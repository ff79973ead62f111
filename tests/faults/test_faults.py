"""Every fault of the tables: the truth lands, or an error says what happened; nothing half, nothing leaked, in time."""

from __future__ import annotations

from collections import Counter

import pytest
from entry import Entry
from judge import problems
from not_yet import NOT_YET
from runs import Outcome
from table import KINDS, TABLE

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Airflow 2.11's own
]


def _parameters() -> list[object]:
    parameters = []
    for entry in TABLE:
        marks = [pytest.mark.slow] if entry.long else []
        if entry.id in NOT_YET:
            marks.append(pytest.mark.xfail(reason="the package does not do it yet", strict=True))  # type: ignore[arg-type]
        parameters.append(pytest.param(entry, id=entry.id, marks=marks))
    return parameters


@pytest.mark.parametrize("entry", _parameters())
def test_fault(entry: Entry, outcomes: dict[str, Outcome]) -> None:
    found = problems(outcomes[entry.id])
    assert not found, "\n".join(["", *found])


def test_every_entry_has_a_name_of_its_own_and_a_known_kind() -> None:
    assert [name for name, count in Counter(entry.id for entry in TABLE).items() if count > 1] == []
    assert {entry.kind for entry in TABLE} == set(KINDS)
    assert len(TABLE) >= 120


def test_what_is_not_done_yet_is_in_the_table() -> None:
    assert {entry.id for entry in TABLE} >= NOT_YET

"""What the example DAGs load into real warehouses; code: example_dags/alloincognito_load_*.py and .sql."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import date, timedelta

import pyarrow
import pyarrow.compute
import pytest
from landed import (
    DAY,
    RECORDINGS,
    Landed,
    day_of,
    land,
    made_calls,
    midnight,
    table_of_calls,
    table_of_recordings,
    with_days_of_calls,
)
from loads import DAILY, Loader

pytestmark = [pytest.mark.long, pytest.mark.warehouse]

MOST_GROWTH = 150 * 1000**2


def assert_holds(loader: Loader, *landed: Landed) -> None:
    """Both tables hold what landed, row for row, and nothing else."""
    calls = table_of_calls(landed)
    assert_equal(loader.warehouse.read("calls", calls.schema), calls)
    recordings = table_of_recordings(landed)
    assert_equal(loader.warehouse.read("recordings", RECORDINGS), recordings)


def assert_equal(found: pyarrow.Table, wanted: pyarrow.Table) -> None:
    if found.equals(wanted):
        return
    assert found.num_rows == wanted.num_rows
    for row, other in zip(found.to_pylist(), wanted.to_pylist(), strict=True):
        assert row == other
    raise AssertionError(f"{found.schema} is not {wanted.schema}")


def holds_one_of(loader: Loader, *versions: Landed) -> None:
    """Each table holds one version, whole."""
    for name, wanted in (("calls", table_of_calls), ("recordings", table_of_recordings)):
        tables = [wanted([version]) for version in versions]
        found = loader.warehouse.read(name, tables[0].schema)
        assert any(found.equals(table) for table in tables), f"{name} is none of the versions: {found.num_rows} rows"


def land_day(loader: Loader, after: int = 0, count: int = 1000, version: str = "a") -> Landed:
    """Land so many calls of the day that comes so many days after the first."""
    ends = day_of(DAY + timedelta(days=after))
    return land(loader.files, *ends, made_calls(*ends, count, version))


def test_a_day_and_the_same_day_again(loader: Loader) -> None:
    day = land_day(loader)
    for _ in range(2):
        assert loader.load(day.period).returned == {"periods": 1, "rows": 1000}
        assert_holds(loader, day)


def test_a_day_that_landed_anew_replaces_the_old_one_alone(loader: Loader) -> None:
    yesterday, today = land_day(loader), land_day(loader, 1)
    loader.load(yesterday.period, today.period)
    today = land_day(loader, 1, 990, "corrected")
    loader.load(today.period)
    assert_holds(loader, yesterday, today)


def test_several_events_in_one_run_out_of_order_and_repeated(loader: Loader) -> None:
    # From the last days of a month to the first of the next one.
    days = [land_day(loader, after, 300) for after in range(27, 31)]
    loaded = loader.load(*(days[number].period for number in (2, 0, 3, 1, 0, 2)))
    assert loaded.returned == {"periods": 4, "rows": 1200}
    assert_holds(loader, *days)


def test_a_day_without_calls_is_empty_afterwards(loader: Loader) -> None:
    before, day = land_day(loader), land_day(loader, 1)
    loader.load(before.period, day.period)
    empty = land_day(loader, 1, 0)
    assert loader.load(empty.period).returned == {"periods": 1, "rows": 0}
    assert_holds(loader, before)


def test_a_first_day_without_calls_is_no_error(loader: Loader) -> None:
    empty = land_day(loader, 0, 0)
    loader.load(empty.period)
    assert_holds(loader, empty)


def test_a_month_in_one_file(loader: Loader) -> None:
    day = land_day(loader, 3, 50)
    loader.load(day.period)
    ends = midnight(DAY.replace(day=1)), midnight(DAY.replace(month=4, day=1))
    month = land(loader.files, *ends, made_calls(*ends, 3000))
    loader.load(month.period)
    month = with_days_of_calls(month)
    assert_holds(loader, month)
    others, calls = without_day(month, day.period.start.date())
    again = land(loader.files, day.period.start, day.period.end, calls)
    loader.load(again.period)
    assert_holds(loader, others, again)


def without_day(landed: Landed, day: date) -> tuple[Landed, pyarrow.Table]:
    """Return what is of other days, and the calls of the day."""
    is_of_day = pyarrow.compute.equal(table_of_calls([landed])["date"], day)
    calls = table_of_calls([landed]).drop_columns("date")
    recordings = landed.recordings.filter(pyarrow.compute.not_equal(landed.recordings["date"], day))
    others = Landed(landed.period, calls.filter(pyarrow.compute.invert(is_of_day)), recordings)
    return others, calls.filter(is_of_day)


def test_part_of_a_day(loader: Loader) -> None:
    start, end = day_of(DAY)
    noon = start + timedelta(hours=12)
    parts = [land(loader.files, *ends, made_calls(*ends, 500)) for ends in ((start, noon), (noon, end))]
    if not loader.warehouse.replaces_parts_of_days:
        outcome = loader.start(parts[0].period).wait()
        assert "2026-03-03T00-00-00_2026-03-03T12-00-00 is not whole days" in outcome.error
        return
    loader.load(*(part.period for part in parts))
    assert_holds(loader, *parts)
    morning = land(loader.files, start, noon, made_calls(start, noon, 480, "corrected"))
    loader.load(morning.period)
    assert_holds(loader, morning, parts[1])


def test_of_two_loads_at_once_the_newest_files_remain(loader: Loader) -> None:
    dice = random.Random(1)
    land_day(loader)
    for number in range(5):
        first = land_day(loader, 0, 5_000, f"{number} first")
        one = loader.start(first.period)
        one.process.join(dice.uniform(0, 0.4))
        newest = land_day(loader, 0, 5_000 - number, f"{number} second")
        other = loader.start(newest.period)
        outcomes = [one.wait(), other.wait()]
        assert [outcome.error for outcome in outcomes] == ["", ""]
        assert_holds(loader, newest)


def test_loads_of_other_days_at_once(loader: Loader) -> None:
    days = [land_day(loader, after, 2000) for after in range(27, 31)]
    loads = [loader.start(day.period) for day in days]
    assert [load.wait().error for load in loads] == [""] * len(days)
    assert_holds(loader, *days)


def test_a_killed_load_leaves_the_old_day_or_the_new_one(loader: Loader) -> None:
    dice = random.Random(2)
    before = land_day(loader, 0, 10_000, "0")
    seconds = loader.load(before.period).seconds
    kills: Counter[bool] = Counter()
    for number in range(6):
        day = land_day(loader, 0, 10_000, f"{number + 1}")
        load = loader.start(day.period)
        load.process.join(dice.uniform(0, seconds))
        kills[load.kill()] += 1
        holds_one_of(loader, before, day)
        loader.load(day.period)
        assert_holds(loader, day)
        before = day
    print(f"\n{loader.warehouse.name}: {kills[True]} of 6 loads of {seconds:.2f} s were killed")
    assert kills[True] >= 3
    left = [name for name in loader.warehouse.tables() if "_loading_" in name]
    if left:
        loader.edit(f"{loader.name}.py", lambda text: text.replace("timedelta(hours=24)", "timedelta(seconds=-60)"))
        loader.load(before.period)
        assert [name for name in loader.warehouse.tables() if "_loading_" in name] == []
        assert_holds(loader, before)


TEXTS = [
    None,
    "",
    " ",
    "null",
    "NULL",
    "\\N",
    "\\.",
    '"',
    'a "quoted" word, and more',
    "two\nlines\r\nthree",
    "\n\\.\n",
    "\t;|'",
    "\0a\0",
    "Алло, «инкогнито»",
    "📞",
    "{}",
    "%s %(name)s {name}",
    "x" * 100_000,
]


def test_texts_arrive_as_they_are(loader: Loader) -> None:
    start, end = day_of(DAY)
    calls = made_calls(start, end, len(TEXTS))
    calls = calls.set_column(calls.schema.get_field_index("caller"), "caller", pyarrow.array(TEXTS, pyarrow.string()))
    day = land(loader.files, start, end, calls)
    loader.load(day.period)
    stored = [text and loader.warehouse.stored(text) for text in TEXTS]
    wanted = calls.set_column(calls.schema.get_field_index("caller"), "caller", pyarrow.array(stored, pyarrow.string()))
    assert_holds(loader, Landed(day.period, wanted, day.recordings))


def test_every_type_with_nulls(loader: Loader) -> None:
    start, end = day_of(DAY)
    added = {
        "is_read": ("bool", [True, False, None]),
        "price": ("float64", [0.1, -1e300, None]),
        "units": ("int64", [2**63 - 1, -(2**63), None]),
        "paid_on": ("date", [DAY, DAY.replace(year=1999), None]),
        "ended_at": ("timestamp", [end - timedelta(microseconds=1), start.replace(year=1999), None]),
        "tags": ("json", ['{"a":[1,null]}', "[]", None]),
        "comment": ("string", ["a", "", None]),
    }
    arrow = {
        "bool": pyarrow.bool_(),
        "float64": pyarrow.float64(),
        "int64": pyarrow.int64(),
        "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us", "UTC"),
        "json": pyarrow.string(),
        "string": pyarrow.string(),
    }
    names = {name: f"{name}Field" for name in added}
    columns = "".join(f'    "{name}": "{field}",\n' for name, field in names.items())
    loader.edit(DAILY, lambda text: text.replace("FIELDS = {\n", f"FIELDS = {{\n{columns}", 1))
    declared = "".join(f"    {name} {loader.warehouse.declared[kind]},\n" for name, (kind, _) in added.items())
    loader.edit(
        f"{loader.name}.sql", lambda text: text.replace("    record_file_id", f"{declared}    record_file_id", 1)
    )

    calls = made_calls(start, end, 3)
    for name, (kind, values) in added.items():
        calls = calls.append_column(name, pyarrow.array(values, arrow[kind]))
    day = land(loader.files, start, end, calls, names)
    loader.load(day.period)
    assert_holds(loader, day)


def test_a_refused_row_is_not_shown(loader: Loader) -> None:
    start, end = day_of(DAY)
    calls = made_calls(start, end, 3)
    numbers = pyarrow.array(["79160000000", "+7 916 000-00-01", None])
    at = calls.schema.get_field_index("talk_seconds")
    day = land(loader.files, start, end, calls.set_column(at, "talk_seconds", numbers))
    outcome = loader.start(day.period).wait()
    assert "The warehouse has not taken the rows" in outcome.error
    assert "land its day again" in outcome.error
    assert not re.search(r"7916|\+7|000-00-01", outcome.error)


def test_a_file_that_landed_without_keys_is_refused(loader: Loader) -> None:
    start, end = day_of(DAY)
    calls = made_calls(start, end, 3)
    keys = pyarrow.nulls(3, pyarrow.string())
    day = land(loader.files, start, end, calls.set_column(0, "row_key", keys))
    outcome = loader.start(day.period).wait()
    assert "row_key" in outcome.error
    assert "land its day again" in outcome.error
    assert not re.search("7916|7926", outcome.error)


def test_times_are_exact(loader: Loader) -> None:
    start, end = day_of(DAY)
    last = end - timedelta(microseconds=1)
    calls = made_calls(start, end, 4)
    starts = pyarrow.array([start, start + timedelta(microseconds=1), last, last], pyarrow.timestamp("us", "UTC"))
    calls = calls.set_column(calls.schema.get_field_index("started_at"), "started_at", starts)
    day = land(loader.files, start, end, calls)
    loader.load(day.period)
    assert_holds(loader, day)


def test_memory_hardly_grows_with_the_day(loader: Loader) -> None:
    days, growth = [], {}
    for after, count in enumerate((100_000, 1_000_000)):
        days.append(land_day(loader, after, count))
        outcome = loader.load(days[-1].period, fresh=True)
        growth[count] = outcome.growth
        print(f"\n{loader.warehouse.name}: {count:,} calls in {outcome.seconds:.1f} s, +{outcome.growth / 1e6:.0f} MB")
        assert outcome.returned == {"periods": 1, "rows": count}
    assert_holds(loader, *days)
    assert growth[1_000_000] <= MOST_GROWTH
    assert growth[1_000_000] <= 1.3 * growth[100_000]

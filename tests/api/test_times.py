"""Times of the API and of DAG authors: ``api/times.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.times import parse_api_time, parse_moment, to_api

MOSCOW = ZoneInfo("Europe/Moscow")
moments = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.timezones() | st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0).astimezone(UTC))


@given(moments)
def test_a_moment_formatted_for_the_api_is_parsed_as_the_same_moment(moment: datetime) -> None:
    # In a zone that goes back once a year a naive text may mean two moments. Moscow no longer does.
    zone = MOSCOW if moment.year >= 2015 else ZoneInfo("Asia/Kolkata")
    assert parse_api_time(to_api(moment, zone), zone) == moment


def test_the_api_gets_times_in_its_own_zone_and_whole_seconds() -> None:
    moment = datetime(2025, 6, 1, 21, 0, 0, 999_999, tzinfo=UTC)
    assert to_api(moment, MOSCOW) == "2025-06-02 00:00:00"


EXPIRY = datetime(2025, 6, 2, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-02T12:30:15Z",
        "2025-06-02T15:30:15+03:00",
        "2025-06-02T15:30:15",
        "2025-06-02 15:30:15",
        " 2025-06-02 15:30:15 ",
        "02.06.2025 15:30:15",
        " 02.06.2025 15:30:15",
        "2025-06-02T12:30:15.000Z",
        "2025-06-02T12:30:15.0000000Z",
        str(int(EXPIRY.timestamp())),
        int(EXPIRY.timestamp()),
        EXPIRY.timestamp(),
        str(int(EXPIRY.timestamp()) * 1000),
        int(EXPIRY.timestamp()) * 1000,
    ],
)
def test_every_format_of_an_expiry_is_parsed(text: object) -> None:
    assert parse_api_time(text, MOSCOW) == EXPIRY


@given(moments)
def test_epoch_seconds_and_milliseconds_are_distinguished(moment: datetime) -> None:
    seconds = int(moment.timestamp())
    assert parse_api_time(seconds, MOSCOW) == moment
    if seconds > 200_000_000:
        assert parse_api_time(str(seconds * 1000), MOSCOW) == moment


@given(st.text() | st.none() | st.booleans() | st.floats() | st.integers() | st.lists(st.integers(), max_size=2))
def test_any_value_is_a_moment_in_utc_or_none(value: object) -> None:
    parsed = parse_api_time(value, MOSCOW)
    assert parsed is None or parsed.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        0,
        -5,
        "nan",
        "inf",
        "1e30",
        86400,
        "20250602",
        20250602123015,
        "32.06.2025",
        [],
        {},
        True,
        "2025-13-01 00:00:00",
    ],
)
def test_an_invalid_time_is_none(value: object) -> None:
    assert parse_api_time(value, MOSCOW) is None


def test_a_dag_authors_time_without_a_zone_is_in_the_apis_zone() -> None:
    expected = datetime(2025, 6, 1, 21, tzinfo=UTC)
    assert parse_moment("2025-06-02 00:00:00", MOSCOW) == expected
    assert parse_moment("2025-06-02", MOSCOW) == expected
    assert parse_moment(datetime(2025, 6, 2), MOSCOW) == expected
    assert parse_moment("2025-06-02T00:00:00+03:00", MOSCOW) == expected
    assert parse_moment(datetime(2025, 6, 2, 7, tzinfo=timezone(timedelta(hours=10))), MOSCOW) == expected
    assert parse_moment("2025-06-01T21:00:00.75Z", MOSCOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday-ish", "P1D", "2025-06-02/2025-06-03", "2025-02-30"])
def test_a_dag_authors_invalid_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pendulum has several
        parse_moment(text, MOSCOW)

"""The call list's query and its windows: ``api/query.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, strategies as st

from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.errors import AlloincognitoQueryError

MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2025, 6, 2, tzinfo=MOSCOW)
END = START + timedelta(days=1)
zones = st.sampled_from(
    [UTC, MOSCOW, ZoneInfo("Asia/Vladivostok"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")]
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=zones)
SETTINGS = Settings()


def checked(**given: Any) -> CallListQuery:
    return CallListQuery.checked(**{"period_start": START, "period_end": END, **given})


def body(settings: Settings = SETTINGS, **given: Any) -> dict[str, Any]:
    return checked(**given).fields(settings)


def test_unset_filters_are_sent_as_the_apis_text_says() -> None:
    assert body() == {
        "periodStart": "2025-06-02 00:00:00",
        "periodEnd": "2025-06-03 00:00:00",
        "direction": 0,
        "durationFrom": None,
        "durationTo": None,
        "isCallRecord": 0,
        "isRead": None,
    }


@pytest.mark.parametrize(
    ("given", "field", "sent"),
    [
        ({"direction": "outgoing"}, "direction", 1),
        ({"direction": " Incoming "}, "direction", 2),
        ({"direction": "all"}, "direction", 0),
        ({"direction": 2}, "direction", 2),
        ({"direction": "1"}, "direction", 1),
        ({"direction": None}, "direction", 0),
        ({"duration_from": 5}, "durationFrom", 5),
        ({"duration_from": "5"}, "durationFrom", 5),
        ({"duration_from": 0}, "durationFrom", 0),
        ({"duration_to": None}, "durationTo", None),
        ({"duration_to": 60}, "durationTo", 60),
        ({"is_call_record": True}, "isCallRecord", 1),
        ({"is_call_record": "True"}, "isCallRecord", 1),
        ({"is_call_record": 0}, "isCallRecord", 0),
        ({"is_read": 0}, "isRead", 0),
        ({"is_read": 1}, "isRead", 1),
        ({"is_read": "1"}, "isRead", 1),
        ({"is_read": False}, "isRead", 0),
        ({"numbers": ["+7 (916) 123-45-67", "8 916 1234568"]}, "numbers", ["+79161234567", "89161234568"]),
        (
            {"numbers": "79161234567; 79161234568\n79161234569,"},
            "numbers",
            ["79161234567", "79161234568", "79161234569"],
        ),
        ({"numbers": iter(("112",))}, "numbers", ["112"]),
        ({"numbers": [79161234567, "112"]}, "numbers", ["79161234567", "112"]),
        ({"numbers": 79161234567}, "numbers", ["79161234567"]),
    ],
)
def test_a_filter_changes_only_its_own_field(given: dict[str, Any], field: str, sent: Any) -> None:
    assert body(**given) == {**body(), field: sent}


def test_the_field_of_the_numbers_may_have_any_name() -> None:
    sent = body(Settings(numbers_field="phones"), numbers=["112"])
    assert sent["phones"] == ["112"]
    assert "numbers" not in sent


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        (Settings(period_end="unknown"), "2025-06-03 00:00:00"),
        (Settings(period_end="exclusive"), "2025-06-03 00:00:00"),
        (Settings(period_end="inclusive"), "2025-06-02 23:59:59"),
        (Settings(period_end="unknown", timezone="UTC"), "2025-06-02 21:00:00"),
        (Settings(period_end="inclusive", timezone="Asia/Vladivostok"), "2025-06-03 06:59:59"),
    ],
)
def test_period_end_is_sent_as_the_setting_says(settings: Settings, end: str) -> None:
    assert body(settings)["periodEnd"] == end


NUMBER = "+79161234567"
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"period_end": START}, "period_start", "CronDataIntervalTimetable"),
    ({"period_end": START - timedelta(1)}, "period_start", "must end after it starts"),
    ({"period_end": START + timedelta(milliseconds=300)}, "period_start", "must end after it starts"),
    ({"direction": "outbound"}, "direction", "'outgoing'"),
    ({"direction": 3}, "direction", "0, 1, 2"),
    ({"direction": True}, "direction", "0, 1, 2"),
    ({"direction": NUMBER}, "direction", "0, 1, 2"),
    ({"duration_from": -1}, "duration_from", "0 or more"),
    ({"duration_from": 1.5}, "duration_from", "whole number"),
    ({"duration_to": True}, "duration_to", "whole number"),
    ({"duration_to": "a minute"}, "duration_to", "whole number"),
    ({"duration_to": [NUMBER]}, "duration_to", "whole number"),
    ({"duration_from": 61, "duration_to": 60}, "duration_from", "swapped"),
    ({"is_call_record": "maybe"}, "is_call_record", "True"),
    ({"is_call_record": NUMBER}, "is_call_record", "True"),
    ({"is_read": 2}, "is_read", "0, 1"),
    ({"numbers": [NUMBER, "Ivan"]}, "numbers[1]", "1 to 15 digits"),
    ({"numbers": [79161234567.0]}, "numbers[0]", "became a fraction"),
    ({"numbers": [True]}, "numbers[0]", "1 to 15 digits"),
    ({"direction": ""}, "direction", "'outgoing'"),
    ({"duration_to": "None"}, "duration_to", "whole number"),
    ({"numbers": [NUMBER + "89012345"]}, "numbers[0]", "1 to 15 digits"),
    ({"numbers": ["٣٣٣٣٣٣٣"]}, "numbers[0]", "1 to 15 digits"),
    ({"numbers": ["phone", NUMBER]}, "numbers[0]", "header line"),
    ({"numbers": ""}, "numbers", "rendered to nothing"),
    ({"numbers": ["", " "]}, "numbers", "rendered to nothing"),
]


@pytest.mark.parametrize(("given", "argument", "hint"), WRONG)
def test_an_invalid_argument_is_an_error_that_names_it_and_what_is_allowed(
    given: dict[str, Any], argument: str, hint: str
) -> None:
    with pytest.raises(AlloincognitoQueryError) as caught:
        checked(**given)
    text = str(caught.value)
    assert text.startswith(argument)
    assert hint in text
    assert "9161234567" not in text


@given(st.lists(st.text("0123456789", min_size=1, max_size=15), min_size=1), st.sampled_from(["", "+"]), st.data())
def test_a_number_keeps_its_digits_whatever_is_between_them(digits: list[str], plus: str, data: st.DataObject) -> None:
    gaps = st.sampled_from(["", " ", "-", ".", "(", ")", "\u00a0"])
    written = [plus + "".join(digit + data.draw(gaps) for digit in number) for number in digits]
    assert checked(numbers=written).numbers == tuple(plus + number for number in digits)
    assert checked(numbers=",".join(written)).numbers == tuple(plus + number for number in digits)


@given(st.text(st.characters(blacklist_characters="abcdefghijklmnopqrstuvwxyz"), min_size=1))
def test_any_text_is_a_number_or_an_error_that_does_not_quote_it(text: str) -> None:
    numbers: tuple[str, ...] = ()
    error_text = ""
    try:
        numbers = checked(numbers=[text]).numbers
    except AlloincognitoQueryError as error:
        error_text = str(error)
    if error_text:
        assert len(text.strip()) < 3 or text not in error_text
    else:
        assert all(number.lstrip("+").isascii() and number.lstrip("+").isdigit() for number in numbers)


@given(moments, st.integers(1, 5 * 86400), zones)
def test_a_period_of_any_length_and_zones_is_accepted(start: datetime, seconds: int, zone: Any) -> None:
    start = start.astimezone(UTC)
    end = (start + timedelta(seconds=seconds)).astimezone(zone)
    query = checked(period_start=start.astimezone(zone), period_end=end)
    # In UTC: in Python, moments of a repeated hour never equal those of another zone (PEP 495).
    assert query.period_start.astimezone(UTC) == start.replace(microsecond=0)
    with pytest.raises(AlloincognitoQueryError):
        checked(period_start=end, period_end=start.astimezone(zone))


@example(datetime(2027, 10, 31, 1, tzinfo=UTC), 2, 1000, UTC, ZoneInfo("Europe/Berlin"))
@given(moments, st.integers(1, 3 * 86400), st.integers(1000, 2 * 86_400_000), zones, zones)
def test_windows_cover_the_period_exactly(
    start: datetime, seconds: int, window_ms: int, zone: Any, api_zone: Any
) -> None:
    window = timedelta(milliseconds=window_ms)
    assume(seconds / window.total_seconds() < 300)
    start = start.astimezone(UTC)  # a schedule has no moments in an hour that a zone skips
    end = (start + timedelta(seconds=seconds)).astimezone(zone)
    query = checked(period_start=start.astimezone(zone), period_end=end, numbers="112", direction=1)
    parts = query.split(window, api_zone)
    assert parts[0].period_start == query.period_start
    assert parts[-1].period_end == query.period_end
    for one, following in pairwise(parts):
        assert one.period_end == following.period_start
    for part in parts:
        length = part.period_end.astimezone(UTC) - part.period_start.astimezone(UTC)
        assert length > timedelta()
        assert length <= window or goes_back_in(part, api_zone)
        assert length == timedelta(seconds=int(length.total_seconds())), "the API has whole seconds"
        assert (part.numbers, part.direction) == (("112",), 1)


def goes_back_in(query: CallListQuery, zone: Any) -> bool:
    """Return whether the zone's clock goes back within the period or three hours of it: it shows both hours twice."""
    near = timedelta(hours=3)
    before, after = (moment.astimezone(zone) for moment in (query.period_start - near, query.period_end + near))
    return before.utcoffset() > after.utcoffset()


BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = datetime(2025, 10, 26, tzinfo=BERLIN)  # its clock shows 02:00 to 03:00 twice


@pytest.mark.parametrize("minutes", [15, 30, 45, 60, 90])
def test_no_window_ends_in_an_hour_that_the_apis_clock_repeats(minutes: int) -> None:
    settings = Settings(timezone="Europe/Berlin")
    query = checked(period_start=AUTUMN, period_end=AUTUMN + timedelta(days=1))
    bodies = [part.fields(settings) for part in query.split(timedelta(minutes=minutes), BERLIN)]
    assert bodies[0]["periodStart"] == "2025-10-26 00:00:00"
    assert bodies[-1]["periodEnd"] == "2025-10-27 00:00:00"
    for one, following in pairwise(bodies):
        assert one["periodStart"] < one["periodEnd"] == following["periodStart"]
    assert not [one for one in bodies if "02:00" <= one["periodEnd"][11:16] < "03:00"]


@pytest.mark.parametrize("period_end", ["exclusive", "inclusive"])
def test_a_period_within_such_an_hour_is_an_error(period_end: str) -> None:
    start = datetime(2025, 10, 26, 0, 45, tzinfo=UTC)
    settings = Settings(timezone="Europe/Berlin", period_end=period_end)
    with pytest.raises(AlloincognitoQueryError, match="the clock goes back within the period"):
        body(settings, period_start=start, period_end=start + timedelta(minutes=15))


def test_without_a_window_the_period_is_not_split() -> None:
    assert checked().split(None, MOSCOW) == [checked()]


@pytest.mark.parametrize("window", [timedelta(), timedelta(seconds=-5), timedelta(milliseconds=999)])
def test_a_window_below_a_second_is_an_error(window: timedelta) -> None:
    with pytest.raises(AlloincognitoQueryError, match="window"):
        checked().split(window, MOSCOW)


def test_the_repr_has_no_number() -> None:
    assert NUMBER not in repr(checked(numbers=[NUMBER]))


def test_only_an_empty_interval_is_explained_by_the_schedule() -> None:
    start, end = datetime(2025, 6, 2, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    with pytest.raises(AlloincognitoQueryError, match=r"Swap the two\.$"):
        CallListQuery.checked(period_start=start, period_end=end)
    with pytest.raises(AlloincognitoQueryError, match="cron string"):
        CallListQuery.checked(period_start=start, period_end=start)

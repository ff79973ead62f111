"""Which field of a row is which: names, types and values as telephony services have them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_alloincognito.cli.proposal import ROLES
from airflow_provider_alloincognito.cli.roles import Guess, RowField, guess_roles, mapping, schema_type
from airflow_provider_alloincognito.cli.sample.profile import row_fields

START = datetime(2026, 3, 3, 9, 0)
COUNT = 40

Column = Callable[[int, random.Random], Any]


def text_time(index: int, _: random.Random) -> str:
    return f"{START + timedelta(minutes=3 * index):%Y-%m-%d %H:%M:%S}"


def later(column: Column, seconds: int = 60) -> Column:
    return lambda index, chance: f"{datetime.fromisoformat(column(index, chance)) + timedelta(seconds=seconds)}"


def dotted(index: int, _: random.Random) -> str:
    return f"{START + timedelta(minutes=3 * index):%d.%m.%Y %H:%M:%S}"


def epoch(index: int, _: random.Random) -> int:
    return int(START.timestamp()) + 180 * index


def epoch_ms(index: int, chance: random.Random) -> int:
    return 1000 * epoch(index, chance)


def phone(_: int, chance: random.Random) -> str:
    return f"79{chance.randrange(10**9):09}"


def plus_phone(index: int, chance: random.Random) -> str:
    return f"+{phone(index, chance)}"


def phone_number(index: int, chance: random.Random) -> int:
    return int(phone(index, chance))


def extension(_: int, chance: random.Random) -> str:
    return chance.choice(["101", "102", "74951234567"])


def seconds(_: int, chance: random.Random) -> int:
    return chance.randrange(600)


def clock(_: int, chance: random.Random) -> str:
    return f"00:{chance.randrange(60):02}:{chance.randrange(60):02}"


def counter(index: int, _: random.Random) -> int:
    return 5000 + index


def guid(_: int, chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def sometimes(column: Column) -> Column:
    return lambda index, chance: column(index, chance) if chance.random() < 0.6 else None


def unique_id(index: int, chance: random.Random) -> str:
    return f"{epoch(index, chance)}.{index}"


def file_name(index: int, chance: random.Random) -> str:
    return f"out-{phone(index, chance)}-{index}.wav" if chance.random() < 0.6 else ""


def link(index: int, chance: random.Random) -> str | None:
    return f"https://records.example/{guid(index, chance)}.mp3" if chance.random() < 0.6 else None


def one_of(*values: Any) -> Column:
    return lambda _, chance: chance.choice(values)


def always(value: Any) -> Column:
    return lambda _, __: value


TABLES: dict[str, tuple[dict[str, Column], dict[str, str]]] = {
    "Asterisk's CDR": (
        {
            "calldate": text_time,
            "clid": lambda index, chance: f'"Anna" <{phone(index, chance)}>',
            "src": phone,
            "dst": extension,
            "dcontext": always("from-internal"),
            "channel": always("SIP/100-0001"),
            "duration": seconds,
            "billsec": seconds,
            "disposition": one_of("ANSWERED", "NO ANSWER", "BUSY"),
            "amaflags": always(3),
            "uniqueid": unique_id,
            "recordingfile": file_name,
        },
        {
            "call_id": "uniqueid",
            "started_at": "calldate",
            "caller": "src",
            "called": "dst",
            "talk_seconds": "billsec",
            "record_file_id": "recordingfile",
        },
    ),
    "a call report with two durations": (
        {
            "id": counter,
            "start_time": text_time,
            "finish_time": later(text_time),
            "is_lost": one_of(True, False),
            "direction": one_of("in", "out"),
            "talk_duration": seconds,
            "total_duration": seconds,
            "wait_duration": seconds,
            "contact_phone_number": phone,
            "virtual_phone_number": phone,
            "call_records": lambda *_: [],
        },
        {"call_id": "id", "started_at": "start_time", "direction": "direction", "talk_seconds": "talk_duration"},
    ),
    "a switchboard's statistics in epoch seconds": (
        {
            "start": epoch,
            "finish": epoch,
            "from_extension": one_of("10", "11"),
            "from_number": phone,
            "to_extension": one_of("", "12"),
            "to_number": phone,
            "disconnect_reason": one_of(1110, 1121),
            "entry_id": guid,
            "recording_id": sometimes(guid),
        },
        {
            "call_id": "entry_id",
            "started_at": "start",
            "caller": "from_number",
            "called": "to_number",
            "record_file_id": "recording_id",
        },
    ),
    "reserved words": (
        {
            "callstart": text_time,
            "from": phone_number,
            "to": phone_number,
            "seconds": seconds,
            "is_recorded": one_of("true", "false"),
            "pbx_call_id": guid,
            "disposition": one_of("answered", "busy"),
        },
        {"started_at": "callstart", "caller": "from", "called": "to", "talk_seconds": "seconds"},
    ),
    "one number and milliseconds": (
        {
            "externalId": guid,
            "phone": plus_phone,
            "direction": one_of("INBOUND", "OUTBOUND"),
            "date": epoch_ms,
            "duration": lambda *one: 1000 * seconds(*one),
            "fileSize": lambda *one: 8000 * seconds(*one),
            "comment": always(""),
        },
        {"started_at": "date", "direction": "direction"},
    ),
    "a history with links": (
        {
            "uid": guid,
            "type": one_of("in", "out", "missed"),
            "client": phone,
            "via": always("74950000000"),
            "start": lambda *one: text_time(*one).replace(" ", "T") + "Z",
            "wait": seconds,
            "duration": seconds,
            "record": link,
        },
        {
            "call_id": "uid",
            "started_at": "start",
            "direction": "type",
            "talk_seconds": "duration",
            "record_file_id": "record",
        },
    ),
    "Russian": (
        {
            "ИдентификаторЗвонка": counter,
            "ДатаВремяНачала": dotted,
            "ДатаВремяОкончания": dotted,
            "Направление": one_of("Входящий", "Исходящий"),
            "КтоЗвонил": phone,
            "КомуЗвонили": phone,
            "ДлительностьРазговора": clock,
            "ДлительностьОжидания": clock,
            "ИдЗаписи": sometimes(guid),
            "Сотрудник": one_of("Иванова", "Петров"),
        },
        {
            "call_id": "ИдентификаторЗвонка",
            "started_at": "ДатаВремяНачала",
            "direction": "Направление",
            "caller": "КтоЗвонил",
            "called": "КомуЗвонили",
            "talk_seconds": "ДлительностьРазговора",
            "record_file_id": "ИдЗаписи",
        },
    ),
    "transliterated": (
        {
            "id_zvonka": counter,
            "vremya_nachala": text_time,
            "vremya_otveta": later(text_time),
            "napravlenie": one_of(1, 2),
            "nomer_zvonyaschego": phone,
            "nomer_vyzyvaemogo": phone,
            "prodolzhitelnost": seconds,
            "ozhidanie": seconds,
            "zapis_razgovora": sometimes(guid),
        },
        {
            "call_id": "id_zvonka",
            "started_at": "vremya_nachala",
            "direction": "napravlenie",
            "caller": "nomer_zvonyaschego",
            "called": "nomer_vyzyvaemogo",
            "talk_seconds": "prodolzhitelnost",
            "record_file_id": "zapis_razgovora",
        },
    ),
    "Pascal case": (
        {
            "CallGUID": guid,
            "CallStartDate": text_time,
            "CallEndDate": later(text_time),
            "CallDirectionType": one_of(1, 2, 3),
            "ANumber": phone,
            "BNumber": phone,
            "BillSeconds": seconds,
            "RingSeconds": seconds,
            "RecordFileGuid": sometimes(guid),
        },
        {
            "call_id": "CallGUID",
            "started_at": "CallStartDate",
            "direction": "CallDirectionType",
            "caller": "ANumber",
            "called": "BNumber",
            "talk_seconds": "BillSeconds",
            "record_file_id": "RecordFileGuid",
        },
    ),
    "flags instead of a direction": (
        {
            "call_session_id": guid,
            "call_start_time": text_time,
            "is_incoming": one_of(True, False),
            "a_number": phone,
            "b_number": phone,
            "call_duration": seconds,
            "record_url": link,
        },
        {
            "call_id": "call_session_id",
            "started_at": "call_start_time",
            "direction": "is_incoming",
            "caller": "a_number",
            "called": "b_number",
            "talk_seconds": "call_duration",
            "record_file_id": "record_url",
        },
    ),
    "names that say nothing": (
        {"f1": text_time, "f2": one_of("in", "out"), "f3": phone, "f4": phone, "f5": seconds, "f6": sometimes(guid)},
        {"started_at": "f1", "direction": "f2", "record_file_id": "f6"},
    ),
}


def rows_of(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    chance = random.Random("roles")
    return [{name: column(index, chance) for name, column in columns.items()} for index in range(COUNT)]


def sure(guesses: list[Guess]) -> dict[str, str]:
    return {one.role: one.field for one in guesses if one.confidence != "unsure"}


@pytest.mark.parametrize("table", TABLES)
def test_the_fields_of_a_table_are_recognized(table: str) -> None:
    columns, expected = TABLES[table]
    guesses = guess_roles(row_fields(rows_of(columns)))
    assert sure(guesses) == expected, guesses
    assert all(one.why for one in guesses)


@pytest.mark.parametrize("table", TABLES)
def test_the_order_of_fields_does_not_matter(table: str) -> None:
    columns, expected = TABLES[table]
    reversed_rows = [dict(reversed(row.items())) for row in rows_of(columns)]
    assert sure(guess_roles(row_fields(reversed_rows))) == expected


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"names that say nothing", "one number and milliseconds"}))
def test_names_alone_are_no_more_than_likely(table: str) -> None:
    columns, expected = TABLES[table]
    guesses = guess_roles([RowField(name) for name in columns])
    assert "certain" not in {one.confidence for one in guesses}
    found = {one.role: one.field for one in guesses}
    needed = {role: expected[role] for role in ("started_at", "talk_seconds") if role in expected}
    assert needed.items() <= found.items()


def test_a_document_s_formats_and_descriptions_are_used() -> None:
    fields = [
        RowField("p1", "integer", description="Идентификатор звонка"),
        RowField("p2", "string", "date-time", "Дата и время начала звонка"),
        RowField("p3", "string", "date-time", "Дата и время окончания звонка"),
        RowField("p4", "integer", description="Направление звонка", enum=[1, 2]),
        RowField("p5", "string", description="Номер вызывающего абонента"),
        RowField("p6", "string", description="Номер вызываемого абонента"),
        RowField("p7", "integer", description="Длительность разговора, сек."),
        RowField("p8", "integer", description="Длительность ожидания ответа, сек."),
        RowField("p9", "string", "uuid", "Идентификатор файла записи разговора"),
    ]
    guesses = guess_roles(fields)
    assert {one.role: one.field for one in guesses} == dict(
        zip(ROLES, ("p1", "p2", "p4", "p5", "p6", "p7", "p9"), strict=True)
    )
    assert {one.role: one.confidence for one in guesses}["started_at"] != "unsure"
    names, types = mapping(guesses, fields)
    assert types == {"started_at": "timestamp", "direction": "int64", "talk_seconds": "int64"}
    assert list(names) == list(ROLES)


def test_two_equal_fields_are_not_silently_chosen_from() -> None:
    rows = rows_of({"start": text_time, "started": text_time})
    (guess,) = guess_roles(row_fields(rows))
    assert guess.confidence == "unsure"
    assert "may be 'started' as well" in guess.why


def test_milliseconds_are_not_taken_for_seconds() -> None:
    (guess,) = guess_roles([RowField("talk_duration_ms", "integer")])
    assert guess.confidence == "unsure"
    assert "milliseconds" in guess.why


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([1, 2, None], "int64"),
        ([1, 2.5], "float64"),
        ([True, None], "bool"),
        (["2026-03-03 10:00:00", ""], "timestamp"),
        (["2026-03-03"], "date"),
        (["a", 1], "string"),
        ([{"a": 1}, "b"], "json"),
        ([None, None], "string"),
    ],
)
def test_the_type_of_values(samples: list[Any], expected: str) -> None:
    assert schema_type(RowField("x", samples=samples)) == expected


def test_personal_data_is_not_in_a_repr() -> None:
    assert "79161234567" not in repr(RowField("x", samples=["79161234567"]))


@pytest.mark.parametrize(("incoming", "outgoing"), [("in", "out"), ("Входящий", "Исходящий"), ("INBOUND", "OUTBOUND")])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_the_direction_tells_the_caller_from_the_called(incoming: str, outgoing: str, is_swapped: bool) -> None:
    chance = random.Random("parties")
    rows = []
    for index in range(COUNT):
        own, other = chance.choice(["74951234567", "74951234568"]), phone(index, chance)
        way = chance.choice([incoming, outgoing])
        caller, called = (other, own) if way == incoming else (own, other)
        rows.append({"t": text_time(index, chance), "w": way, "p1": caller, "p2": called})
    if is_swapped:
        rows = [{**row, "p1": row["p2"], "p2": row["p1"]} for row in rows]
    found = sure(guess_roles(row_fields(rows)))
    assert (found["caller"], found["called"]) == (("p2", "p1") if is_swapped else ("p1", "p2"))


def test_a_letter_beside_number_is_the_telephonist_s() -> None:
    for caller, called in (("NumberA", "NumberB"), ("nomer_a", "nomer_b"), ("aNumber", "bNumber")):
        found = {guess.role: guess for guess in guess_roles([RowField(caller, "string"), RowField(called, "string")])}
        assert (found["caller"].field, found["called"].field) == (caller, called)
        assert found["caller"].confidence != "unsure"


def test_the_start_of_a_talk_is_no_more_than_a_makeshift() -> None:
    talk, call = RowField("talk_begin", "string"), RowField("call_begin", "string")
    assert [guess.field for guess in guess_roles([talk, call])] == ["call_begin"]
    assert [(guess.field, guess.confidence) for guess in guess_roles([talk])] == [("talk_begin", "unsure")]

"""An answer is read from wherever the mapping says that the server has it: ``answer/places.py``, ``tokens/pair.py``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from envelope_reading import read
from hypothesis import given, strategies as st
from plain_server import CALL_LIST_PATH, RECORD_FILE_PATH, RESULT_PATH, PlainServer, Said
from sent_requests import call_hash, calls, calls_by_hash, recording

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.api.answer.places import ATTRIBUTES, Piece
from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.mapping import ANSWER_PATHS, DEEPEST, ApiMapping, Path
from airflow_provider_alloincognito.api.tokens.pair import read_pair
from airflow_provider_alloincognito.api.transport.client import Client
from airflow_provider_alloincognito.errors import AlloincognitoApiError, AlloincognitoResponseError

StartPlain = Callable[..., PlainServer]
NewClient = Callable[..., Client]

chunk_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=3)
ENVELOPE_FIELDS = ["rowset", "fileContent", *ATTRIBUTES]
CONTAINERS = ["data", "result", "ключ", "a b", '"{', "\\"]
# None of them is a container, so no path leads through another's end.
LEAVES = ["rowset", "fileContent", "errorCode", "items", "0", "[", "}", "\\u0041", "$ref", "файл", '"', "x:y"]
LEAVES += [f"k{n}" for n in range(20)]
containers = st.lists(st.sampled_from(CONTAINERS), max_size=DEEPEST - 1)
small_values = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3)
keys = st.text(max_size=3)
noise = st.recursive(small_values, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2))
rows = st.lists(st.dictionaries(keys, noise, max_size=3), max_size=4)
texts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=9)
values = {"rowset": st.none() | rows, "fileContent": st.none() | st.binary(max_size=20)}


@st.composite
def answers(draw: st.DrawFn) -> tuple[ApiMapping, dict[str, Any], dict[str, Any]]:
    """Return a mapping, what an answer says, and the answer: with other fields in between, at random depth."""
    leaves = iter(draw(st.permutations(LEAVES)))
    answer_paths: dict[str, str | list[str]] = {}
    said: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    for name in ENVELOPE_FIELDS:
        places = [(*draw(containers), next(leaves)) for _ in range(draw(st.integers(1, 2)))]
        answer_paths[name] = [".".join(path) for path in places]
        if (value := draw(values.get(name, st.none() | texts))) is not None:
            said[name] = value
            put(answer, draw(st.sampled_from(places)), encoded(value))
    for _ in range(draw(st.integers(0, 4))):
        put(answer, (*draw(containers), next(leaves)), draw(noise))
    return ApiMapping(answer=answer_paths), said, answer


def encoded(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def put(answer: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        answer = answer.setdefault(key, {})
    answer[path[-1]] = value


def shuffled(value: Any, random: Random) -> Any:
    """Return an answer with the keys of its objects in another order."""
    if not isinstance(value, dict):
        return value
    items = list(value.items())
    random.shuffle(items)
    return {key: shuffled(inner, random) for key, inner in items}


def rows_of(pieces: list[Piece]) -> list[dict[str, Any]]:
    return [row for piece in pieces if isinstance(piece, RowBatch) for row in piece.decode()]


@given(
    answers(), st.randoms(use_true_random=False), st.lists(st.integers(1, 40), min_size=1, max_size=3), st.booleans()
)
def test_an_answer_is_read_as_what_it_was_made_of(
    made: tuple[ApiMapping, dict[str, Any], dict[str, Any]], random: Random, sizes: list[int], ensure_ascii: bool
) -> None:
    mapping, said, answer = made
    body = json.dumps(shuffled(answer, random), ensure_ascii=ensure_ascii, indent=random.choice([None, 1])).encode()
    envelope, pieces = read(body, sizes, mapping=mapping)
    assert rows_of(pieces) == said.get("rowset", [])
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == said.get("fileContent", b"")
    assert envelope.rowset == ("array" if "rowset" in said else "absent")
    assert envelope.file_content == ("string" if "fileContent" in said else "absent")
    assert {name: getattr(envelope, attribute) for name, attribute in ATTRIBUTES.items()} == {
        name: said.get(name) for name in ATTRIBUTES
    }
    holders = [path[:-1] for name in ("rowset", "fileContent") for path in mapping.paths(name)]
    assert envelope.has_result is any(isinstance(value_at(answer, path), dict) for path in holders)


def value_at(answer: Any, path: Path) -> Any:
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


ROWS = Envelope(rowset="array", has_result=True)
RECORDING = Envelope(file_content="string", has_result=True)
NO = Envelope(error_code=0, error_message="no")


def mapping(**answer: Any) -> ApiMapping:
    return ApiMapping(answer=answer)


@pytest.mark.parametrize(
    ("given", "body", "expected"),
    [
        # The answer itself is the array.
        ({"rowset": ""}, '[{"a":1}]', ROWS),
        ({"rowset": ""}, " \n[]", ROWS),
        ({"rowset": ""}, "null", Envelope(rowset="null")),
        ({"rowset": ""}, '{"error":{"errorCode":5}}', Envelope(error_code=5)),
        ({"rowset": ["", "items"]}, '{"items":[]}', ROWS),
        # One place for the rows and the recording.
        (
            {"rowset": "data", "fileContent": "data", "requestHash": "id"},
            '{"id":"h","data":[]}',
            Envelope(request_hash="h", rowset="array", has_result=True),
        ),
        (
            {"rowset": "data", "fileContent": "data"},
            '{"data":"QQ=="}',
            Envelope(file_content="string", has_result=True),
        ),
        (
            {"rowset": "data", "fileContent": "data.audio"},
            '{"data":{"audio":""}}',
            Envelope(file_content="string", has_result=True),
        ),
        ({"rowset": "result"}, '{"result":[{}]}', ROWS),
        # A root that holds the rows is there wherever there is an object.
        ({"rowset": "items"}, "{}", Envelope(has_result=True)),
        ({"rowset": "data.items"}, '{"data":{}}', Envelope(has_result=True)),
        ({"rowset": "data.items"}, '{"data":null,"result":[]}', Envelope()),
        ({"rowset": "data.items"}, '{"result":{"rowset":[{}]}}', Envelope(has_result=True)),
        ({"rowset": "data.items"}, '{"data":[{"items":[{}]}],"data.items":[{}]}', Envelope()),
        # A field in several places: one that says nothing hides no other.
        (
            {"errorCode": ["a.code", "b.code"], "requestHash": ["a.id", "b.id"]},
            '{"a":{"code":0,"id":null},"b":{"code":5,"id":"h"}}',
            Envelope(error_code=5, request_hash="h"),
        ),
        (
            {"errorCode": ["a.code", "b.code"], "requestHash": ["a.id", "b.id"]},
            '{"a":{"code":5,"id":"h"},"b":{"code":0,"id":""}}',
            Envelope(error_code=5, request_hash="h"),
        ),
        # Two fields in one place.
        ({"errorCode": "result.code"}, '{"result":{"code":7}}', Envelope(code=7, error_code=7, has_result=True)),
        # `error` remains an error wherever the server's own are, unless it is mapped itself.
        (
            {"errorCode": "status.code"},
            '{"status":{"code":0},"error":"no"}',
            Envelope(error_code=0, error_message="no"),
        ),
        ({"errorCode": "status.code"}, '{"error":{"code":7}}', Envelope(error_code=7)),
        ({"errorMessage": "error"}, '{"error":"no"}', Envelope(error_message="no")),
        ({"errorCode": "error"}, '{"error":false}', Envelope(error_code=False)),
        ({"errorCode": "error"}, '{"error":true}', Envelope(error_code=True)),
        ({"errorMessage": "error"}, '{"error":{"errorCode":5}}', Envelope(error_code=5)),
        ({"errorCode": "status.code"}, '{"status":{"total":5,"code":0}}', Envelope(error_code=0)),
    ],
)
def test_unusual_places(given: dict[str, Any], body: str, expected: Envelope) -> None:
    for sizes in ([1], [1000]):
        envelope, _ = read(body.encode(), sizes, mapping=mapping(**given))
        assert envelope == expected
        assert envelope.is_bare_error is ("status.code" in given.values() and '"no"' in body)


@pytest.mark.parametrize(
    ("given", "body", "said"),
    [
        ({"rowset": "data.items"}, '{"data":{"items":[]},"data":{"items":[]}}', "the key data appears twice"),
        ({"rowset": "data.items"}, '{"data":{"items":[],"items":[]}}', "the key data.items appears twice"),
        ({"rowset": ["a", "b"]}, '{"a":[],"b":[]}', "more than one array"),
        ({"rowset": "data.items"}, '{"data":{"items":5}}', "data.items has another type"),
        ({"rowset": "data.items"}, '{"data":{"items":{}}}', "data.items has another type"),
        ({"rowset": ""}, '"text"', "the response has another type"),
        ({"rowset": "data.items"}, "[]", "JSON, but not an object"),
        ({"errorMessage": "detail"}, '{"detail":[{"msg":"no"}]}', "detail has another type"),
        ({"rowset": "data.items"}, '{"data":{"items":[5]}}', "data.items contains something that is not an object"),
        ({"rowset": "data.items"}, '{"data":{"items":[{"a":}]}}', "row 1 is not valid JSON"),
        ({"rowset": ""}, "[{}]]", "are not valid JSON"),
        ({"fileContent": "file.mp3"}, '{"file":{"mp3":"???"}}', "file.mp3 is not valid base64"),
        ({"rowset": "a.b"}, '{"a":' * 100_000, "bytes besides the rows"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_servers_path(
    given: dict[str, Any], body: str, said: str
) -> None:
    for sizes in ([7], [len(body)]):
        with pytest.raises(AlloincognitoResponseError) as caught:
            read(body.encode(), sizes, mapping=mapping(**given))
        assert said in str(caught.value)


# Over HTTP

NESTED = {
    "rowset": "data.list.items",
    "requestHash": ["data.request_id", "file.request_id"],
    "fileContent": "file.content",
    "file_NAME": "file.name",
    "errorCode": "status.code",
    "errorMessage": "status.text",
}
OK = {"code": 0, "text": "ok"}
MP3 = b"ID3\x03" + bytes(2000)


def test_rows_a_hash_and_a_recording_over_http(plain_server: StartPlain, new_client: NewClient) -> None:
    listed = {"status": OK, "data": {"request_id": "h==", "list": {"total": 1, "items": [{"a": 1}]}}}
    content = base64.b64encode(MP3).decode()
    file = {"status": OK, "file": {"name": "x", "request_id": "g==", "content": content}}
    server = plain_server(
        {
            CALL_LIST_PATH: Said(json.dumps(listed).encode()),
            RESULT_PATH: Said(json.dumps(listed).encode()),
            RECORD_FILE_PATH: Said(json.dumps(file).encode()),
        }
    )
    client = new_client(server.url, api_mapping=ApiMapping(answer=NESTED))
    assert calls(client) == [{"a": 1}]
    assert call_hash(client) == "h=="
    assert calls_by_hash(client, "h==") == [{"a": 1}]
    assert recording(client, "id") == MP3


def test_a_bare_array_over_http(plain_server: StartPlain, new_client: NewClient) -> None:
    rows = [{"a": n, "text": "x" * 100} for n in range(5000)]
    server = plain_server({CALL_LIST_PATH: Said(json.dumps(rows).encode())})
    assert calls(new_client(server.url, api_mapping=mapping(rowset=""))) == rows


def test_an_error_in_another_place_is_the_apis_own(plain_server: StartPlain, new_client: NewClient) -> None:
    body = {"status": {"code": 17, "text": "абонент 79161234567"}, "data": {"request_id": "h", "list": {"items": []}}}
    server = plain_server({CALL_LIST_PATH: Said(json.dumps(body).encode())})
    with pytest.raises(AlloincognitoApiError) as caught:
        calls(new_client(server.url, api_mapping=ApiMapping(answer=NESTED)))
    error = caught.value
    assert (error.code, error.message, error.request_hash) == (17, "абонент <number>", "h")


def test_an_answer_of_another_shape_is_an_error_that_names_the_places(
    plain_server: StartPlain, new_client: NewClient
) -> None:
    server = plain_server({CALL_LIST_PATH: Said(b'{"result": {"rowset": []}, "status": {"code": 0}}')})
    places = {**NESTED, "fileContent": ["file.content", "audio"]}
    with pytest.raises(AlloincognitoResponseError, match="alloincognito discover") as caught:
        calls(new_client(server.url, api_mapping=ApiMapping(answer={**places, "fileContent": "file.content"})))
    assert "which should be at data.list.items or file.content." in str(caught.value)


# The token pair

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
PAIR_FIELDS = ["accessToken", "accessTokenExpiredIn", "refreshToken", "refreshTokenExpiredIn"]


@given(st.lists(containers, min_size=4, max_size=4))
def test_a_pair_is_read_from_any_places(holders: list[list[str]]) -> None:
    places = [(*holder, name) for holder, name in zip(holders, "abcd", strict=True)]
    body: dict[str, Any] = {}
    for path, value in zip(places, ["a", "2026-03-02T00:00:00Z", "r", "2026-03-02T01:00:00Z"], strict=True):
        put(body, path, value)
    named = mapping(**{name: ".".join(path) for name, path in zip(PAIR_FIELDS, places, strict=True)})
    pair = read_pair(json.dumps(body).encode(), MOSCOW, NOW, named)
    assert (pair.access_token, pair.refresh_token) == ("a", "r")
    assert (pair.access_expires_at, pair.refresh_expires_at) == (
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 2, 1, tzinfo=UTC),
    )


def test_a_pair_elsewhere_is_an_error_that_names_the_places() -> None:
    with pytest.raises(
        AlloincognitoResponseError, match=r"no token at data\.access, or none at refreshToken or"
    ) as caught:
        read_pair(b'{"accessToken": "SECRET", "refreshToken": "SECRET"}', UTC, NOW, mapping(accessToken="data.access"))  # type: ignore[arg-type]
    assert "SECRET" not in str(caught.value)
    assert "alloincognito discover" in str(caught.value)


def test_every_field_of_an_answer_has_a_place() -> None:
    assert {*ENVELOPE_FIELDS, *PAIR_FIELDS} == set(ANSWER_PATHS)

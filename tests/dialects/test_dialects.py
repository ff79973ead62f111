"""Every open question about the API, answered in every way, alone and all together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from cover import dialects
from dialect_runs import Dialect, Outcome, forget_connections, run, run_in_airflow
from dialects_page import PAGE, page
from switches import COMBINATIONS, SWITCHES, Answer

from airflow_provider_alloincognito.sandbox.presets import RENAMED

NAMES = RENAMED["request_fields"]
EVERYTHING = Answer(
    name="the preset",
    sandbox=RENAMED,
    extra={
        **{name: RENAMED[name] for name in RENAMED if name.endswith("_path")},
        "numbers_field": RENAMED["numbers_field"],
        "record_file_id_field": RENAMED["row_fields"]["recordFileId"],
        "timezone": RENAMED["timezone"],
        "api_mapping": {
            "create": {"verb": "POST"},
            "refresh": {"verb": "POST"},
            "getcalllist": {
                "verb": "GET",
                "names": {name: NAMES[name] for name in NAMES if name not in ("recordFileId", "requestHash")},
                "values": RENAMED["request_values"],
                "time_format": "%Y-%m-%dT%H:%M:%S",
            },
            "getcallrecordfile": {"names": {"recordFileId": NAMES["recordFileId"]}},
            "answer": {
                name: place
                for name, place in RENAMED["answer_fields"].items()
                if place is not None and name not in ("error", "result")
            },
        },
    },
    fields=RENAMED["row_fields"],
)
THREADS = 10  # they wait most of the time


def params(answers: Callable[[Answer], bool]) -> list[object]:
    """Answers as parameters of a test."""
    return [
        pytest.param(answer, id=f"{switch.name}-{answer.name}".replace("`", ""))
        for switch in SWITCHES
        for answer in switch.answers
        if answers(answer)
    ]


def needs_setting(answer: Answer) -> bool:
    return bool(answer.names or answer.warns)


def differs(answer: Answer) -> bool:
    """Whether it is not what is assumed anyway."""
    return bool(answer.sandbox or answer.extra or answer.number)


@pytest.fixture(autouse=True, scope="module")
def no_connection_left() -> Iterator[None]:
    yield
    forget_connections()


@pytest.mark.long
@pytest.mark.dialects
@pytest.mark.parametrize("answer", params(needs_setting))
def test_with_its_setting_the_truth_lands(answer: Answer, tmp_path: Path) -> None:
    check(run(Dialect((answer,)), tmp_path))


@pytest.mark.parametrize("answer", params(needs_setting))
def test_a_wrong_guess_is_an_error_that_names_the_setting(answer: Answer, tmp_path: Path) -> None:
    outcome = run(Dialect((answer,), told=False), tmp_path)
    if answer.warns:
        assert any(name in text for name in answer.warns for text in outcome.warnings), outcome.warnings
    else:
        assert outcome.wrong == []
        check_named(outcome, answer.names)


def test_the_truth_lands_where_everything_is_other_than_assumed(tmp_path: Path) -> None:
    check(run(Dialect((EVERYTHING,)), tmp_path))


@pytest.mark.long
@pytest.mark.dialects
@pytest.mark.parametrize("answer", params(differs))
def test_the_truth_lands_in_airflow(airflow_database: None, answer: Answer, tmp_path: Path) -> None:
    check(run_in_airflow(Dialect((answer,)), tmp_path))


@pytest.fixture(scope="module")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[Outcome]]]:
    """The outcomes of all dialects of the cover."""
    folder = tmp_path_factory.mktemp("cover")
    with ThreadPoolExecutor(THREADS) as threads:
        yield [threads.submit(run, dialect, folder / str(number)) for number, dialect in enumerate(dialects())]


@pytest.mark.long
@pytest.mark.dialects
@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_the_truth_lands_from_any_combination(cover: list[Future[Outcome]], number: int) -> None:
    outcome = cover[number].result()
    assert outcome.wrong == [], outcome.dialect
    assert outcome.errors == {}, outcome.dialect


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python tests/dialects/dialects_page.py"


def check(outcome: Outcome) -> None:
    """The truth has landed."""
    assert outcome.wrong == []
    assert outcome.errors == {}


def check_named(outcome: Outcome, names: Sequence[str]) -> None:
    """There is an error, and each names one of the settings."""
    assert outcome.errors
    for step, error in outcome.errors.items():
        assert any(name in str(error) for name in names), f"{step}: {error}"

"""
Arguments that are outputs of other tasks: Airflow runs those first, the value arrives or is refused, no number shows.

Code: operators/arguments.py, operators/numbers.py. Passes on Airflow 3.3 and 2.11.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dag_runs import Run, StartSandbox, one_task_dag, run_dag

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION, DAG, BaseOperator, task
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.alloincognito import (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
)
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.sensors.alloincognito import AlloincognitoRequestResultSensor

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = datetime(2026, 3, 3, tzinfo=MOSCOW)
NEXT_DAY = datetime(2026, 3, 4, tzinfo=MOSCOW)
CLASSES = (
    AlloincognitoCallListOperator,
    AlloincognitoRecordingOperator,
    AlloincognitoRequestResultOperator,
    AlloincognitoRequestResultSensor,
)
ARGUMENTS = ("numbers", "output_path", "schema", "period_start", "record_file_ids", "calls", "request_hash", "ready")


class Returns(BaseOperator):
    """Returns a value, as any operator does."""

    def __init__(self, *, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context: Any) -> Any:
        return self.value


@pytest.fixture
def sandbox(connected_sandbox: StartSandbox, tmp_path: Path) -> Sandbox:
    """A sandbox, with the calls of a day in a file."""
    sandbox = connected_sandbox()
    rows = sandbox.truth(DAY, NEXT_DAY)
    (tmp_path / "day.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return sandbox


def tasks_with(folder: str) -> dict[str, tuple[type[Any], str, dict[str, Any]]]:
    """Return for each of the arguments: an operator, the argument's real name, and the operator's other arguments."""
    file = f"{folder}/{{{{ task.task_id }}}}-{{{{ ti.map_index }}}}.jsonl"
    calls = AlloincognitoCallListOperator
    return {
        "numbers": (calls, "numbers", {"output_path": file}),
        "output_path": (calls, "output_path", {}),
        "schema": (calls, "schema", {"output_path": file.replace("jsonl", "csv")}),
        "period_start": (calls, "period_start", {"output_path": file, "period_end": NEXT_DAY}),
        "record_file_ids": (AlloincognitoRecordingOperator, "record_file_ids", {"output_path": f"{folder}/mp3"}),
        "calls": (AlloincognitoRecordingOperator, "calls", {"output_path": f"{folder}/mp3"}),
        "request_hash": (AlloincognitoRequestResultOperator, "request_hash", {"output_path": file}),
        "ready": (AlloincognitoRequestResultSensor, "request_hash", {"timeout": 5}),
    }


def operator_output(task_id: str, value: Any) -> Any:
    return Returns(task_id=task_id, value=value).output


def task_output(task_id: str, value: Any) -> Any:
    @task(task_id=task_id, show_return_value_in_logs=False)
    def returns() -> Any:
        return value

    return returns()


def make_forms(argument: str, folder: str, value: Any) -> None:
    """Make a task with the argument in each way in which DAG code can pass an output."""
    kind, name, others = tasks_with(folder)[argument]
    kind(task_id=f"{argument}_plain", **{name: task_output(f"{argument}_1", value)}, **others)
    kind.partial(task_id=f"{argument}_partial", **{name: operator_output(f"{argument}_2", value)}, **others).expand(
        alloincognito_conn_id=["alloincognito_default"]
    )
    kind.partial(task_id=f"{argument}_expand", **others).expand(**{name: operator_output(f"{argument}_3", [value])})
    kind.partial(task_id=f"{argument}_kwargs", **others).expand_kwargs(task_output(f"{argument}_4", [{name: value}]))
    if argument in ("numbers", "record_file_ids"):
        one = None if value is None else value[0]
        kind(task_id=f"{argument}_list", **{name: [operator_output(f"{argument}_5", one)]}, **others)


def dag_of(folder: str, values: dict[str, Any]) -> DAG:
    def make() -> None:
        for argument, value in values.items():
            make_forms(argument, folder, value)

    return one_task_dag("outputs", make, retries=2)


def consumers(dag: DAG) -> list[Any]:
    return [one for one in dag.tasks if one.task_id.rsplit("_", 1)[-1] in FORMS]


FORMS = ("plain", "partial", "expand", "kwargs", "list")


def serializer() -> Any:
    """Return what turns a DAG into the form in which Airflow stores it."""
    from airflow.serialization import serialized_objects

    return getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)


def shown(run: Run, dag: DAG, log: str) -> str:
    """Return what Airflow stores, shows and logs of a run, but for what the source tasks return."""
    ids = {one.task_id for one in consumers(dag)}
    xcoms = {task_id: value for task_id, value in run.xcoms.items() if task_id in ids}
    tasks = serializer().to_dict(dag)["dag"]["tasks"]
    mine = [one for one in tasks if one.get("__var", one)["task_id"] in ids]
    rendered = {task_id: value for task_id, value in run.rendered.items() if task_id in ids}
    return "\n".join(map(str, (mine, xcoms, rendered, run.errors, log)))


def test_outputs_arrive_and_numbers_do_not_show(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = sandbox.truth(DAY, NEXT_DAY)
    number, ids = rows[5]["callerNumber"], [row["recordFileId"] for row in rows if row["recordFileId"]][:2]
    request_hash = hash_of_a_day(sandbox, tmp_path)
    values = {
        "numbers": [number],
        "output_path": f"{tmp_path.as_uri()}/given.jsonl",
        "schema": {"callId": "string"},
        "period_start": "2026-03-03 12:00:00",
        "record_file_ids": ids,
        "calls": f"{tmp_path.as_uri()}/day.jsonl",
        "request_hash": request_hash,
        "ready": request_hash,
    }
    dag = dag_of(tmp_path.as_uri(), values)
    for one in consumers(dag):
        assert len(one.upstream_task_ids) == 1, f"{one.task_id} would run before its source"
    caplog.clear()
    capfd.readouterr()
    run = run_dag(dag, NEXT_DAY)
    assert run.state == "success", run.errors
    asserted = {
        "numbers": ("rows", sum(number in (row["callerNumber"], row["calledNumber"]) for row in rows)),
        "output_path": ("path", values["output_path"]),
        "schema": ("format", "csv"),
        "period_start": ("period_start", values["period_start"]),
        "record_file_ids": ("manifest", f"{tmp_path.as_uri()}/mp3/manifest.jsonl"),
        "calls": ("failed", 0),
        "request_hash": ("rows", len(rows)),
    }
    for argument, (key, wanted) in asserted.items():
        for one in consumers(dag):
            if one.task_id.startswith(f"{argument}_"):
                returned = run.xcoms[one.task_id]
                assert (returned[0] if isinstance(returned, list) else returned)[key] == wanted, one.task_id
    visible = shown(run, dag, caplog.text + "".join(capfd.readouterr()))
    assert "1 number (not shown)" in visible
    assert number[-10:] not in visible
    assert number[-10:] in str(run.xcoms), "the search would find it"


def test_an_output_that_is_none_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    dag = dag_of(tmp_path.as_uri(), dict.fromkeys(ARGUMENTS))
    run = run_dag(dag, NEXT_DAY)
    tasks = {one.task_id for one in consumers(dag)}
    assert {run.states[one] for one in tasks} == {"failed"}, run.states
    assert {run.tries[one] for one in tasks} == {1}, "Airflow retried it"
    names = [tasks_with("")[one.rsplit("_", 1)[0]][1] for one in tasks]
    assert len(run.errors) == len(tasks)
    for error in run.errors:
        assert isinstance(error, AlloincognitoQueryError)
        assert "was given as a template or as another task's output, but that has no value here (None)" in str(error)
        assert str(error).split(" ")[0].removesuffix("[0]") in names
    assert sandbox.requests == []


def hash_of_a_day(sandbox: Sandbox, tmp_path: Path) -> str:
    def make() -> None:
        AlloincognitoCallListOperator(task_id="ask", output_path=f"{tmp_path.as_uri()}/asked.jsonl")

    run = run_dag(one_task_dag("ask", make), NEXT_DAY)
    (request_hash,) = run.xcoms["ask"]["request_hashes"]
    sandbox.clear_log()
    return str(request_hash)


def land(folder: Path, *, native: bool = False, **arguments: Any) -> Run:
    def make() -> None:
        AlloincognitoCallListOperator(task_id="calls", **{"output_path": f"{folder.as_uri()}/c.jsonl", **arguments})

    dag = one_task_dag("land", make, retries=2)
    dag.render_template_as_native_obj = native
    return run_dag(dag, NEXT_DAY)


def test_a_template_without_a_value_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = ("numbers", "direction", "min_rows", "window", "output_path", "start_time_field")
    templates = {"none": "{{ none }}", "empty": "{{ '' }}", "xcom": "{{ ti.xcom_pull('nobody') }}"}

    def make() -> None:
        for argument in arguments:
            for name, template in templates.items():
                given = {"output_path": f"{tmp_path.as_uri()}/c.jsonl", argument: template}
                AlloincognitoCallListOperator(task_id=f"{argument}-{name}", **given)

    run = run_dag(one_task_dag("empty", make, retries=2), NEXT_DAY)
    assert len(run.errors) == len(arguments) * len(templates)
    assert all(isinstance(error, AlloincognitoQueryError) for error in run.errors)
    said = {str(error).partition(" was given as a template")[0] for error in run.errors}
    assert said == set(arguments)
    assert set(run.tries.values()) == {1}
    assert sandbox.requests == []


def test_what_is_not_given_stays_the_default(sandbox: Sandbox, tmp_path: Path) -> None:
    run = land(tmp_path, numbers=None, direction=None, schema=None, start_time_field="", window=None)
    assert run.state == "success", run.errors
    assert run.xcoms["calls"]["rows"] == len(sandbox.truth(DAY, NEXT_DAY))


def test_numbers_and_times_of_any_type(sandbox: Sandbox, tmp_path: Path) -> None:
    rows = sandbox.truth(DAY, NEXT_DAY)
    number = rows[5]["callerNumber"]
    of_number = sum(number in (row["callerNumber"], row["calledNumber"]) for row in rows)
    for numbers in (int(number), [int(number)], f"{{{{ {number} }}}}", [f"{{{{ '{number}' }}}}"]):
        run = land(tmp_path, native=True, numbers=numbers, min_rows="{{ 1 }}", wait_timeout=timedelta(minutes=1))
        assert run.state == "success", run.errors
        assert run.xcoms["calls"]["rows"] == of_number
        assert number[-10:] not in str(run.rendered)
    sandbox.clear_log()
    run = land(tmp_path, window="{{ 12 * 3600 }}", poll_interval=timedelta(seconds=1), allow_incomplete="{{ false }}")
    assert run.state == "success", run.errors
    assert sandbox.count("getcalllist") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"min_rows": "{{ 'many' }}"}, "min_rows is 'many', which is invalid. It must be a whole number"),
        ({"wait_timeout": "{{ 'long' }}"}, "wait_timeout is 'long', which is invalid. It must be a number of seconds"),
        ({"escape_formulas": "{{ 'perhaps' }}"}, "escape_formulas is 'perhaps', which is invalid."),
        ({"unknown_fields": "{{ 'lose' }}"}, "unknown_fields is 'lose', which is invalid. It must be 'keep' or"),
        ({"protect": {"callerNumber": "{{ 'hash' }}"}}, "protect['callerNumber'] is 'hash', which is invalid."),
        ({"protect": "{{ 'callerNumber' }}"}, "protect is 'callerNumber', which is invalid. It must be a mapping"),
        ({"protect": {"a": "digest"}}, "protect asks for digests, which need a secret key, but digest_key is missing."),
        ({"row_key_fields": ["{{ 'a' }}"]}, "row_key_fields says what the key of a row is made of, but row_key"),
    ],
)
def test_an_invalid_value_is_explained(sandbox: Sandbox, tmp_path: Path, arguments: Any, said: str) -> None:
    run = land(tmp_path, **arguments)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert str(run.error).startswith(said)
    assert run.tries == {"calls": 1}


def test_what_the_call_list_returns_is_passed_on(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path.as_uri()

    def make() -> None:
        calls = AlloincognitoCallListOperator(
            task_id="calls", output_path=f"{folder}/{{{{ period_start | ds }}}}.jsonl"
        )
        for name, given in (("whole", calls.output), ("key", calls.output["path"])):
            AlloincognitoRecordingOperator(task_id=f"mp3_{name}", calls=given, output_path=f"{folder}/{name}")
        for name, given in (("whole", calls.output), ("key", calls.output["request_hashes"])):
            AlloincognitoRequestResultSensor(task_id=f"ready_{name}", request_hash=given, timeout=5)
            AlloincognitoRequestResultOperator(
                task_id=f"result_{name}", request_hash=given, output_path=f"{folder}/{name}.jsonl"
            )

    dag = one_task_dag("passed_on", make)
    assert all(one.upstream_task_ids == {"calls"} for one in dag.tasks if one.task_id != "calls")
    run = run_dag(dag, NEXT_DAY)
    assert run.state == "success", run.errors
    rows = sandbox.truth(DAY, NEXT_DAY)
    assert run.xcoms["calls"]["path"].endswith("2026-03-03.jsonl")
    for name in ("whole", "key"):
        assert run.xcoms[f"mp3_{name}"]["fetched"] == sum(row["recordFileId"] is not None for row in rows)
        assert run.xcoms[f"result_{name}"]["rows"] == len(rows)


def test_what_cannot_be_passed_on_is_explained(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path.as_uri()

    def make() -> None:
        ask = AlloincognitoCallListOperator(task_id="ask", output_path=None, window=12 * 3600)
        AlloincognitoRecordingOperator(task_id="no_path", calls=ask.output, output_path=folder)
        AlloincognitoRecordingOperator(task_id="ids", record_file_ids=ask.output, output_path=folder)
        AlloincognitoRequestResultSensor(task_id="two", request_hash=ask.output, timeout=5)
        AlloincognitoRecordingOperator(task_id="typo", calls=ask.output["pfad"], output_path=folder)
        AlloincognitoRequestResultOperator(task_id="target", request_hash="h", output_path=ask.output)

    run = run_dag(one_task_dag("not_passed_on", make, retries=2), NEXT_DAY)
    said = sorted(map(str, run.errors))
    for error, part in zip(
        said,
        (
            "calls is a mapping without a path.",
            "calls was given as a template or as another task's output",
            "output_path is a mapping, not a path. To pass another task's path, take it from its output: task.output",
            "record_file_ids is a mapping, not a list of ids.",
            "request_hash is a list of 2 hashes, since the period was requested in that many parts (window).",
        ),
        strict=True,
    ):
        assert error.startswith(part), error
    assert set(run.tries.values()) == {1}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_argument_takes_an_output(kind: Any) -> None:
    own = set[str]()
    for one in kind.__mro__:
        if one.__module__.startswith("airflow_provider_alloincognito.") and "__init__" in vars(one):
            own |= {name for name, given in signature(one).parameters.items() if given.kind == Parameter.KEYWORD_ONLY}
    assert own == set(kind.template_fields)


class Phones(AlloincognitoCallListOperator):
    """A user's own operator: an argument with another name, and a result that is no dict."""

    template_fields = (*AlloincognitoCallListOperator.template_fields, "note")

    def __init__(self, *, phone_list: Any = None, note: Any = None, **kwargs: Any) -> None:
        super().__init__(numbers=phone_list, **kwargs)
        self.note = note

    def execute(self, context: Any) -> Any:
        return super().execute(context)["path"]


def _mapped_by_another_name(folder: str) -> None:
    file = f"{folder}/{{{{ ti.map_index }}}}.jsonl"
    Phones.partial(task_id="phones", output_path=file).expand(phone_list=operator_output("source", [None]))


def _partial_by_another_name(folder: str) -> None:
    none = operator_output("source", None)
    Phones.partial(task_id="phones", phone_list=none).expand(output_path=[f"{folder}/a.jsonl"])


def _from_default_args(folder: str) -> None:
    task_groups = "airflow.sdk" if AIRFLOW_VERSION >= (3, 0) else "airflow.utils.task_group"
    none = operator_output("source", None)
    with import_module(task_groups).TaskGroup("group", default_args={"numbers": none}):
        AlloincognitoCallListOperator.partial(task_id="phones").expand(output_path=[f"{folder}/a.jsonl"])


@pytest.mark.parametrize("make", [_mapped_by_another_name, _partial_by_another_name, _from_default_args])
def test_numbers_that_are_none_by_other_ways(sandbox: Sandbox, tmp_path: Path, make: Any) -> None:
    run = run_dag(one_task_dag("other_ways", lambda: make(tmp_path.as_uri()), retries=0), NEXT_DAY)
    assert isinstance(run.error, AlloincognitoQueryError)
    assert sandbox.count("getcalllist") == 0, "everybody's calls"


def test_an_operator_of_the_users_own(sandbox: Sandbox, tmp_path: Path) -> None:
    def make() -> None:
        Phones(task_id="phones", output_path=f"{tmp_path}/{{{{ period }}}}.jsonl", note="{{ params.nothing }}")

    dag = one_task_dag("own", make)
    dag.params["nothing"] = ""
    assert run_dag(dag, NEXT_DAY).xcoms["phones"] == f"file://{tmp_path}/2026-03-03.jsonl"


def test_execute_without_airflow(sandbox: Sandbox, tmp_path: Path) -> None:
    operator = AlloincognitoCallListOperator(
        task_id="calls",
        output_path=f"{tmp_path}/calls.jsonl",
        period_start="2026-03-03",
        period_end=NEXT_DAY,
        poll_interval=timedelta(seconds=1),
    )
    assert operator.execute({"ti": SimpleNamespace(try_number=1)})["rows"] == 40


def test_text_that_only_looks_like_a_path_is_not_shown() -> None:
    operator = AlloincognitoCallListOperator(task_id="calls", output_path="/a.jsonl", numbers="+74951234567 a/c 1")
    assert "4951234567" not in repr(operator.numbers)

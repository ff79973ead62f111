"""FIELDS and TYPES in the file of the daily DAG: only they change, byte by byte."""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

import airflow_provider_alloincognito
from airflow_provider_alloincognito.cli.proposal import Proposal
from airflow_provider_alloincognito.cli.writing.dag_file import default_path, example_dag, mapping_source, plan_dag_file
from airflow_provider_alloincognito.errors import AlloincognitoSetupError

FIELDS = {"call_id": "id", "started_at": "nachalo", "direction": "tip", "record_file_id": "zapis"}
TYPES = {"started_at": "timestamp", "direction": "int64"}
PROPOSAL = Proposal(fields=FIELDS, types=TYPES, schema=dict.fromkeys(FIELDS.values(), "string"))


def assigned(source: bytes) -> dict[str, Any]:
    """The literals that are assigned at a file's top."""
    found = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            try:
                found[ast.unparse(target)] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    return found


def written(path: Path, source: bytes, proposal: Proposal = PROPOSAL) -> bytes:
    path.write_bytes(source)
    plan_dag_file(proposal, path).write()
    return path.read_bytes()


def test_a_new_file_is_the_example_with_another_mapping(tmp_path: Path) -> None:
    path = tmp_path / "dags" / "calls.py"
    plan = plan_dag_file(PROPOSAL, path)
    assert plan.is_new
    assert not path.exists(), "planning writes nothing"
    plan.write()
    (note,) = plan.notes
    assert f"{example_dag().parent}: copy alloincognito_load_duckdb.py, alloincognito_load_duckdb.sql" in note
    made = path.read_bytes()
    names = assigned(made)
    assert names["FIELDS"] == FIELDS
    assert names["TYPES"] == TYPES
    assert names["ZONE"] == "Europe/Moscow"
    before, after = (set(text.decode().splitlines()) for text in (example_dag().read_bytes(), made))
    assert {line.split(":")[0].split(" = ")[0].strip() for line in before ^ after} <= {
        *map('"{}"'.format, FIELDS),
        "TYPES",
        '"caller"',
        '"called"',
        '"talk_seconds"',
    }
    assert stat.S_IMODE(path.stat().st_mode) & 0o444, "Airflow may run as another user"
    assert os.listdir(path.parent) == ["calls.py"]


def test_a_new_file_s_days_are_those_of_the_api(tmp_path: Path) -> None:
    path = tmp_path / "calls.py"
    proposal = Proposal({"timezone": "Asia/Yekaterinburg"}, FIELDS, TYPES)
    plan_dag_file(proposal, path).write()
    assert assigned(path.read_bytes())["ZONE"] == "Asia/Yekaterinburg"


def test_a_file_keeps_its_zone_and_the_user_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.py"
    path.write_bytes(example_dag().read_bytes())
    plan = plan_dag_file(Proposal({"timezone": "Asia/Yekaterinburg"}, FIELDS, TYPES), path)
    assert b'ZONE = "Europe/Moscow"' in plan.content
    assert any('ZONE = "Asia/Yekaterinburg"' in note for note in plan.notes)


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.py"
    plan_dag_file(PROPOSAL, path).write()
    before = path.stat()
    again = plan_dag_file(PROPOSAL, path)
    again.write()
    assert not again.changed
    assert path.stat() == before


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_all_else_stays_byte_by_byte(tmp_path: Path, newline: str, mark: bytes) -> None:
    head = "# Звонки é 𝄞\nimport os\n\nX = 'ü'; FIELDS: dict[str, str] = "
    middle = "  # моё\n\n\nTYPES={"
    lines = f"{head}{{'call_id': 'ид', # старое\n  'started_at':'c'}}{middle}'started_at':'date'}}  \n\t\nY = 1"
    made = written(tmp_path / "calls.py", mark + lines.replace("\n", newline).encode())
    assert made.startswith(mark + head.replace("\n", newline).encode() + b"{" + newline.encode())
    assert made.endswith(f"  {newline}\t{newline}Y = 1".encode())
    assert middle[:-1].replace("\n", newline).encode() in made
    assert made.count(newline.encode()) == made.count(b"\n" if newline != "\r" else b"\r")
    assert assigned(made)["FIELDS"] == FIELDS


def test_another_encoding_stays(tmp_path: Path) -> None:
    source = "# -*- coding: cp1251 -*-\n# Звонки\nFIELDS = {}\nTYPES = {}\n"
    proposal = Proposal(fields={"started_at": "начало", "record_file_id": "记录"})
    made = written(tmp_path / "calls.py", source.encode("cp1251"), proposal)
    assert "# Звонки\n".encode("cp1251") in made
    assert '"начало"'.encode("cp1251") in made
    assert assigned(made)["FIELDS"] == proposal.fields, "what the encoding lacks is escaped"


def test_a_field_that_is_replaced_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.py"
    mine = {**FIELDS, "started_at": "moe_vremya", "caller": "kto"}
    path.write_bytes(f"FIELDS = {mine}\nTYPES = {TYPES}\n".encode())
    (note,) = plan_dag_file(PROPOSAL, path).notes
    assert "started_at=moe_vremya, caller=kto." in note
    written(path, path.read_bytes())
    assert plan_dag_file(PROPOSAL, path).notes == ()


def test_columns_of_the_user_s_own_stay_unless_their_field_is_gone(tmp_path: Path) -> None:
    source = (
        b"FIELDS = {'started_at': 'a', 'status': 'tip', 'queue': 'gone'}\n"
        b"TYPES = {'status': 'int64', 'queue': 'int64', 'started_at': 'date'}\n"
    )
    path = tmp_path / "calls.py"
    path.write_bytes(source)
    plan = plan_dag_file(PROPOSAL, path)
    names = assigned(plan.content)
    assert names["FIELDS"] == {**FIELDS, "status": "tip"}
    assert names["TYPES"] == {**TYPES, "status": "int64"}
    assert any("queue" in note for note in plan.notes)


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\n",
        b"FIELDS = {'a': 'b'}\n",
        b"def f():\n    FIELDS = {}\n    TYPES = {}\n",
        b"FIELDS = dict(a=1)\nTYPES = {}\n",
        b"FIELDS = {\n",
        b"\xff\xfe\x00",
        b"# coding: no-such-encoding\n",
        b"\x00",
    ],
)
def test_a_file_that_is_no_daily_dag_is_left_alone(tmp_path: Path, source: bytes) -> None:
    path = tmp_path / "calls.py"
    with pytest.raises(AlloincognitoSetupError) as error:
        written(path, source)
    assert path.read_bytes() == source
    assert mapping_source(PROPOSAL) in str(error.value), "the error says what to paste"


def test_what_is_pasted_is_what_would_be_written() -> None:
    names = assigned(mapping_source(PROPOSAL).encode())
    assert names == {"FIELDS": FIELDS, "TYPES": TYPES}


@pytest.mark.parametrize("missing", ["started_at", "record_file_id"])
def test_a_column_that_the_dag_needs_must_be_known(tmp_path: Path, missing: str) -> None:
    fields = {column: name for column, name in FIELDS.items() if column != missing}
    with pytest.raises(AlloincognitoSetupError, match=missing):
        plan_dag_file(Proposal(fields=fields), tmp_path / "calls.py")


@pytest.mark.parametrize("name", ["{{ var.value.secret }}", "a{% b", "{#"])
def test_a_server_cannot_put_a_template_into_the_dag(tmp_path: Path, name: str) -> None:
    with pytest.raises(AlloincognitoSetupError, match="template"):
        plan_dag_file(Proposal(fields={**FIELDS, "call_id": name}), tmp_path / "calls.py")


def test_a_link_and_the_mode_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "real.py", tmp_path / "calls.py"
    target.write_bytes(b"FIELDS = {}\nTYPES = {}\n")
    target.chmod(0o640)
    link.symlink_to(target)
    plan_dag_file(PROPOSAL, link).write()
    assert link.is_symlink()
    assert assigned(target.read_bytes())["FIELDS"] == FIELDS
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AlloincognitoSetupError, match=r"Cannot (write|read)"):
        plan_dag_file(PROPOSAL, tmp_path / "file" / "calls.py").write()


def test_the_default_is_airflow_s_folder_of_dags() -> None:
    assert default_path() == Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], "alloincognito_daily_calls.py")


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=30), max_size=4), st.text(max_size=30))
def test_any_names_are_written_as_they_are(columns: dict[str, str], name: str) -> None:
    fields = {"started_at": name, "record_file_id": name + "2"}
    proposal = Proposal(fields=fields, types=columns)
    assert assigned(mapping_source(proposal).encode("utf-8", "surrogatepass")) == {"FIELDS": fields, "TYPES": columns}


def test_an_installed_wheel_has_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip lays it out: beside site-packages, and named in the wheel's RECORD."""
    packages = tmp_path / "lib" / "python3" / "site-packages"
    share = tmp_path / "share" / "doc" / "airflow-provider-alloincognito" / "example_dags"
    info = packages / "airflow_provider_alloincognito-9.dist-info"
    for folder in (info, share):
        folder.mkdir(parents=True)
    (share / "alloincognito_daily_calls.py").write_bytes(b"# of the wheel\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: airflow-provider-alloincognito\nVersion: 9\n")
    (info / "RECORD").write_text(f"{os.path.relpath(share, packages)}/alloincognito_daily_calls.py,,\n")
    monkeypatch.syspath_prepend(packages)
    package = packages / "airflow_provider_alloincognito" / "__init__.py"
    monkeypatch.setattr(airflow_provider_alloincognito, "__file__", str(package))
    assert example_dag().read_bytes() == b"# of the wheel\n"

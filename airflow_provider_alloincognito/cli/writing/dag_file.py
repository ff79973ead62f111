"""
Put ``FIELDS`` and ``TYPES`` into the file of the daily DAG.

Only the values of these assignments are replaced, by their place in the source. All else stays byte by byte: comments,
line endings, encoding. A file that is not there is made from the example DAG that comes with the package.
"""

from __future__ import annotations

import ast
import codecs
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import airflow_provider_alloincognito
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.cli.proposal import NEEDED, ROLES, Proposal
from airflow_provider_alloincognito.cli.writing.files import write_whole
from airflow_provider_alloincognito.errors import AlloincognitoSetupError
from airflow_provider_alloincognito.extras import DISTRIBUTION

NAME = "alloincognito_daily_calls.py"
LOADING = "alloincognito_load_duckdb"
LINE_LENGTH = 120

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_TEMPLATE = re.compile(r"\{[{%#]")


@dataclass(frozen=True)
class DagFile:
    """
    The file of the daily DAG as it is to be.

    :param path: where it is.
    :param is_new: it is not there yet.
    :param content: all of it.
    :param changed: the names whose values differ from those in the file.
    :param notes: what the user should know.
    """

    path: Path
    is_new: bool
    content: bytes = field(repr=False)
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def write(self) -> None:
        """
        Write it, whole or not at all; nothing, if nothing has changed.

        :raises AlloincognitoSetupError: if it cannot be written.
        """
        if self.is_new or self.changed:
            write_whole(self.path, self.content)


def plan_dag_file(proposal: Proposal, path: Path | str | None = None) -> DagFile:
    """
    Return the DAG file with the proposed mapping, without writing it.

    :param proposal: its ``fields``, ``types`` and ``timezone`` are used.
    :param path: the file; default ``alloincognito_daily_calls.py`` in Airflow's folder of DAGs.
    :raises AlloincognitoSetupError: if a column is missing that the DAG needs, or the file is not such a DAG.
    """
    path = Path(path).expanduser() if path is not None else default_path()
    fields = _checked_fields(proposal, path)
    try:
        source, is_new = path.read_bytes(), False
    except FileNotFoundError:
        source, is_new = example_dag().read_bytes(), True
    except OSError as error:
        raise AlloincognitoSetupError(
            f"Cannot read the DAG file {path}: {error.strerror or type(error).__name__}. Name another with --dag."
        ) from None
    file = _Source(source, path, proposal)
    notes = []
    if is_new:
        loading = ", ".join(f"{LOADING}.{suffix}" for suffix in ("py", "sql"))
        notes.append(
            f"It lands files. The DAG that loads them into a table is in {example_dag().parent}: copy {loading} from "
            "there to the same folder."
        )
    if not is_new and (lines := file.lines_that_go(fields)):
        notes.append(f"Gone from FIELDS: {', '.join(lines)}. To keep one, name it: --field COLUMN=FIELD.")
    own, lost = file.own_columns(proposal.schema)
    if own:
        notes.append(f"Columns of your own are kept in FIELDS: {', '.join(own)}.")
    if lost:
        notes.append(f"Columns of your own whose fields no row has are removed from FIELDS: {', '.join(lost)}.")
    types = {column: kind for column, kind in file.values["TYPES"].items() if column in own}
    changes: dict[str, Any] = {"FIELDS": {**fields, **own}, "TYPES": {**proposal.types, **types}}
    zone = proposal.extra.get("timezone") or Settings().timezone
    if is_new:
        changes["ZONE"] = zone
    elif (days := file.values.get("ZONE")) not in (None, zone):
        notes.append(
            f"The DAG's days begin at midnight in {days}, the API's times are in {zone}. The right calls land either "
            f'way. For days of the API\'s zone, set ZONE = "{zone}" in {path}, at best before its first run.'
        )
    content, changed = file.replace(changes)
    return DagFile(path, is_new, content, changed, tuple(notes))


def default_path() -> Path:
    """Return where the daily DAG is, in Airflow's folder of DAGs."""
    from airflow_provider_alloincognito.compat import conf

    return Path(conf.get("core", "dags_folder")).expanduser() / NAME


def mapping_source(proposal: Proposal) -> str:
    """Return the two assignments, to paste into a DAG file."""
    return "\n".join(
        f"{name} = {_literal(mapping, len(name) + 3, always_long=name == 'FIELDS')}"
        for name, mapping in (("FIELDS", proposal.fields), ("TYPES", proposal.types))
    )


def example_dag() -> Path:
    """
    Return the file of the example DAG that comes with this package.

    :raises AlloincognitoSetupError: if the package is installed without it.
    """
    for path in _example_paths():
        if path.is_file():
            return path
    raise AlloincognitoSetupError(
        f"The example DAG {NAME} does not come with this installation of {DISTRIBUTION}. Copy it from the folder "
        "example_dags of the package's repository to your DAGs folder, then write the mapping again."
    )


def _example_paths() -> Iterator[Path]:
    """Yield where a checkout and an installed wheel have it. A wheel of a checkout has it as it once was."""
    yield Path(airflow_provider_alloincognito.__file__).parents[1] / "example_dags" / NAME
    with suppress(PackageNotFoundError):
        for file in distribution(DISTRIBUTION).files or ():
            if file.parts[-2:] == ("example_dags", NAME):
                yield Path(str(file.locate()))


def _checked_fields(proposal: Proposal, path: Path) -> dict[str, str]:
    if proposal.missing:
        raise AlloincognitoSetupError(
            f"The DAG needs {' and '.join(NEEDED)}, and no field of a row is known for "
            f"{' and '.join(proposal.missing)}. Set them yourself: FIELDS in {path} names the field of each column."
        )
    for name in proposal.fields.values():
        if _TEMPLATE.search(name):  # Airflow renders the operators' arguments
            raise AlloincognitoSetupError(
                f"The row's field {name!r} cannot be put into the DAG: Airflow would take its name for a template."
            )
    return {role: proposal.fields[role] for role in ROLES if role in proposal.fields}


class _Source:
    """A DAG file's source, and where the values of its assignments are."""

    def __init__(self, source: bytes, path: Path, proposal: Proposal) -> None:
        paste = f"paste this at its top yourself:\n\n{mapping_source(proposal)}\n\n"
        self._path = path
        try:
            self._encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            self._mark = codecs.BOM_UTF8 if source.startswith(codecs.BOM_UTF8) else b""
            self._text = source.removeprefix(self._mark).decode(self._encoding.removesuffix("-sig"))
            tree = ast.parse(self._text)
        except (SyntaxError, ValueError):
            raise AlloincognitoSetupError(
                f"The DAG file {path} is not valid Python. Correct it, or {paste}Nothing was changed in it."
            ) from None
        self._lines = _LINE.findall(self._text)
        self._nodes: dict[str, ast.expr] = {}
        self.values: dict[str, Any] = {}
        for name, node in _assignments(tree):
            self._nodes[name] = node
            with suppress(ValueError):
                self.values[name] = ast.literal_eval(node)
        for name in ("FIELDS", "TYPES"):
            if not isinstance(self.values.get(name), dict):
                raise AlloincognitoSetupError(
                    f"The DAG file {path} has no {name} = {{...}} at its top, so it is not the daily DAG, or was "
                    f"rewritten. Name another file with --dag, or {paste}Nothing was changed in it."
                )

    def own_columns(self, schema: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """Return the columns that the user has added, and the names of those that the server has no fields for."""
        own = {column: name for column, name in self.values["FIELDS"].items() if column not in ROLES}
        lost = [column for column, name in own.items() if schema and name not in schema]
        return {column: name for column, name in own.items() if column not in lost}, lost

    def lines_that_go(self, fields: Mapping[str, str]) -> list[str]:
        """Return the columns that get another field, or none, each with its field until now."""
        old = self.values["FIELDS"]
        return [f"{column}={old[column]}" for column in ROLES if old.get(column) not in (None, fields.get(column))]

    def replace(self, changes: Mapping[str, Any]) -> tuple[bytes, tuple[str, ...]]:
        """Return the source with other values, and the names of those that differ."""
        changed = [name for name, value in changes.items() if not _is_same(self.values.get(name), value)]
        changed = [name for name in changed if name in self._nodes]
        newline = next((end for line in self._lines if (end := line[len(line.rstrip("\r\n")) :])), "\n")
        text = self._text
        for name in sorted(changed, key=self._position, reverse=True):
            node = self._nodes[name]
            literal = _literal(changes[name], node.col_offset, always_long=name == "FIELDS")
            start, end = self._place(node.lineno, node.col_offset), self._place(node.end_lineno, node.end_col_offset)
            text = text[:start] + self._escaped(literal).replace("\n", newline) + text[end:]
        return self._mark + text.encode(self._encoding.removesuffix("-sig")), tuple(changed)

    def _position(self, name: str) -> tuple[int, int]:
        return self._nodes[name].lineno, self._nodes[name].col_offset

    def _escaped(self, literal: str) -> str:
        """Return a literal with Python's escapes for what the file's encoding does not have."""
        encoding = self._encoding.removesuffix("-sig")
        return literal.encode(encoding, "backslashreplace").decode(encoding)

    def _place(self, line: int | None, column: int | None) -> int:
        """Return where a place of the parser's is in the text: it counts bytes of UTF-8."""
        assert line is not None
        before = self._lines[line - 1].encode()[:column].decode()
        return sum(map(len, self._lines[: line - 1])) + len(before)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of each assignment at the top of a file."""
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                yield name, value


def _is_same(old: Any, new: Any) -> bool:
    return bool(old == new) and (not isinstance(new, dict) or list(old) == list(new))


def _literal(value: Any, column: int, *, always_long: bool = False) -> str:
    """Return Python's source of a text or a mapping of texts, as ruff would format it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    pairs = [f"{_literal(key, 0)}: {_literal(text, 0)}" for key, text in value.items()]
    short = "{" + ", ".join(pairs) + "}"
    if not pairs or (not always_long and column + len(short) <= LINE_LENGTH):
        return short
    return "{\n" + "".join(f"    {pair},\n" for pair in pairs) + "}"

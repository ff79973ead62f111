"""The tree of errors: pickling, the tree in the docstring, and full stops: ``errors.py``."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_alloincognito import errors
from airflow_provider_alloincognito.errors import AlloincognitoError
from airflow_provider_alloincognito.operators.failures import fail_without_retry

PACKAGE = Path(errors.__file__).parent
KINDS: dict[str, type[AlloincognitoError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, AlloincognitoError)
}
# Arguments of the constructors that do not take a text.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "AlloincognitoMissingExtraError": ("Parquet", "parquet"),
    "AlloincognitoConnectionError": ("The server is busy.", 17.0),
    "AlloincognitoBusyError": ("The server is busy.", 3600.0),
    "AlloincognitoApiError": ("getcalllist", 1500, "Internal error", "h=="),
    "AlloincognitoPathError": ("getcalllist", 404, "an HTTP status without a message"),
    "AlloincognitoBadRequestError": ("getcalllist", 422, "numbers: Field required"),
    "AlloincognitoTooFewRowsError": (1, 2, "calls.parquet"),
    "AlloincognitoValueError": ("duration", "int64", 7),
    "AlloincognitoUnknownFieldError": ("colour", 7),
}
HINTS = {"DISCOVER": errors.DISCOVER, "SAMPLE": errors.SAMPLE}
TREE_LINE = re.compile(r"^( *)- (\w+)( [*+])?(?: |$)", re.MULTILINE)


def as_raised(error: AlloincognitoError) -> AlloincognitoError:
    return error


def as_failed_without_retry(error: AlloincognitoError) -> AlloincognitoError:
    """Return the error that an operator raises: not retried by Airflow if another try cannot help."""
    with pytest.raises(type(error)) as caught, fail_without_retry():
        raise error
    return caught.value


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("raised", [as_raised, as_failed_without_retry])
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_is_copied_with_its_text_and_attributes(
    name: str, raised: Callable[[AlloincognitoError], AlloincognitoError], copied: Callable[[Any], Any]
) -> None:
    original = KINDS[name](*ARGUMENTS.get(name, ("What happened.",)))
    original.add_note("Seen in a task.")
    error = copied(raised(original))
    assert type(error) is KINDS[name], "the class that users can import"
    assert str(error) == str(original)
    assert error.args == original.args
    assert vars(error) == vars(original)
    assert (error.retryable, error.transient) == (original.retryable, original.transient)


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert errors.__doc__ is not None
    parents: list[type] = []
    listed = []
    for indent, name, mark in TREE_LINE.findall(errors.__doc__):
        kind = KINDS[name]
        depth = len(indent) // 2
        assert kind.__bases__[0] is (parents[depth - 1] if depth else Exception)
        parents[depth:] = [kind]
        assert (mark == " *") is not kind.retryable, name
        assert (mark == " +") is kind.transient, name
        listed.append(name)
    assert sorted(listed) == sorted(KINDS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_text_that_a_class_makes_ends_with_a_full_stop(name: str) -> None:
    text = str(KINDS[name](*ARGUMENTS[name]))
    assert text.endswith(".")
    assert not text.endswith("..")


def takes_a_text(kind: type[AlloincognitoError]) -> bool:
    return list(inspect.signature(kind.__init__).parameters)[1] in ("args", "message")


def last_literal(node: ast.expr) -> str | None:
    """Return the last literal part of a text; None if it is a name or a call, or ends with another error's text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.FormattedValue):
        return HINTS.get(ast.unparse(node.value))
    if isinstance(node, ast.JoinedStr):
        if ast.unparse(node).endswith(("{error}'", '{error}"')):
            return None
        return next(filter(None, map(last_literal, reversed(node.values))), None)
    if isinstance(node, ast.BinOp):
        return last_literal(node.right) or last_literal(node.left)
    if isinstance(node, ast.IfExp):
        return next((text for text in map(last_literal, (node.body, node.orelse)) if text and text[-1] != "."), None)
    return None


def literal_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The last literal part of each text that is passed to an error, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            kind = KINDS.get(ast.unparse(node.func).rpartition(".")[2])
            if kind is not None and takes_a_text(kind) and (text := last_literal(node.args[0])):
                yield node.lineno, text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_text_of_an_error_ends_with_a_full_stop(path: Path) -> None:
    assert [(line, text) for line, text in literal_texts(path) if not text.endswith(".")] == []


def test_a_missing_full_stop_would_be_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        'raise AlloincognitoAuthError("No.")\n'
        'raise AlloincognitoAuthError("No")\n'
        'raise AlloincognitoConnectionError(f"No {x}, " f"no {y}", 5)\n'
        'raise errors.AlloincognitoAuthError(f"No {x}." + text)\n'
        "raise AlloincognitoAuthError(text)\n"
        'raise AlloincognitoAuthError(f"Connection {x}: {error}")\n'
        'raise AlloincognitoApiError("getcalllist", 5, "no")\n'
    )
    assert list(literal_texts(program)) == [(1, "No."), (2, "No"), (3, ", no "), (4, ".")]

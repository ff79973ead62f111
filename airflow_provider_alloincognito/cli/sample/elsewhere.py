"""
Ask for calls where the answer may have its rows elsewhere than the API's text says.

If it has, the setting ``api_mapping`` that leads to them is found by the answer's shape.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.mapping import ApiMapping, read_mapping
from airflow_provider_alloincognito.cli import writing
from airflow_provider_alloincognito.cli.sample.question import Asked, NotReady, ask_growing, body_of_answer, periods
from airflow_provider_alloincognito.cli.sample.shape import Shape, shape_of
from airflow_provider_alloincognito.errors import AlloincognitoResponseError, AlloincognitoTruncatedError
from airflow_provider_alloincognito.hooks.shared import shared_pair

if TYPE_CHECKING:
    from airflow_provider_alloincognito.cli.output import Output
    from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook


def ask_wherever_rows_are(
    options: argparse.Namespace, output: Output, hook: AlloincognitoHook
) -> tuple[Asked, AlloincognitoHook, dict[str, Any]]:
    """
    Ask for calls, and again with another ``api_mapping`` if the rows are elsewhere.

    Return what was asked, the hook that finds the rows, and the setting to propose; empty if it is as it should be.

    :param options: the command's arguments.
    :param output: gets the shape of an answer that is not as expected.
    :param hook: of the Connection.
    :raises AlloincognitoError: if there is no answer, or no rows are found in it.
    """
    try:
        return ask_growing(options, output, hook.get_conn(), waits=False), hook, {}
    except AlloincognitoTruncatedError:
        raise
    except AlloincognitoResponseError as error:
        shape = _shape(options, hook)
        places = _places(shape, hook.settings.api_mapping)
        if places or not isinstance(error, NotReady):
            _print(output, shape, places)
        if not places and not isinstance(error, NotReady):
            raise
    mapping = {}
    if places:
        mapping = _merged(writing.connection_now(options, "").extra.get("api_mapping"), places)
        hook = _with_mapping(hook, mapping)
    return ask_growing(options, output, hook.get_conn(), waits=True), hook, mapping


def _shape(options: argparse.Namespace, hook: AlloincognitoHook) -> Shape:
    """Return the shape of an answer, of the first period with rows in it."""
    store, _ = shared_pair(hook.settings, hook.access.authorization_token)
    pair, shape = store.load(), Shape()
    if pair is not None:
        for period in periods(options, hook.settings):
            shape = shape_of(body_of_answer(hook.get_conn(), pair.access_token, period))
            if shape.rows_paths():
                break
    return shape


def _places(shape: Shape, mapping: ApiMapping) -> dict[str, str]:
    """Return where rows and hash are, if that is clear and not where they are looked for."""
    rows, hashes = shape.rows_paths(), shape.hash_paths()
    if not rows or rows[0] in mapping.paths("rowset"):
        return {}
    places = {"rowset": rows[0]}
    if len(hashes) == 1 and hashes[0] not in mapping.paths("requestHash"):
        places["requestHash"] = hashes[0]
    return {name: ".".join(path) for name, path in places.items()}


def _print(output: Output, shape: Shape, places: dict[str, str]) -> None:
    if places:
        where = ", ".join(f"{name} at {path or 'the answer itself'}" for name, path in places.items())
        output.text(f"The answer has its rows elsewhere than expected: {where}. It looks like this:")
    else:
        output.text("The answer is not as expected. It looks like this:" if shape.kinds else "The answer is not JSON.")
    for line in shape.lines():
        output.text(f"  {line}")


def _merged(given: Any, places: dict[str, str]) -> dict[str, Any]:
    """Return the Connection's ``api_mapping`` with other places."""
    mapping: dict[str, Any] = json.loads(given) if isinstance(given, str) and given else dict(given or {})
    return {**mapping, "answer": {**mapping.get("answer", {}), **places}}


def _with_mapping(hook: AlloincognitoHook, mapping: dict[str, Any]) -> AlloincognitoHook:
    changed = type(hook)(hook.alloincognito_conn_id)
    changed.access = replace(hook.access, settings=hook.access.settings.replace(api_mapping=read_mapping(mapping)))
    return changed

"""The schema of a table: the names, order and types of its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast, get_args

from airflow_provider_alloincognito.errors import AlloincognitoSchemaError, AlloincognitoTargetError
from airflow_provider_alloincognito.landing.stores.targets import Target, open_for_reading

SchemaArgument: TypeAlias = "Mapping[str, str] | Target | None"
TypeName = Literal["string", "int64", "float64", "bool", "timestamp", "date", "json"]
Schema: TypeAlias = dict[str, TypeName]


def read_schema(schema: SchemaArgument) -> Schema | None:
    """
    Read the argument ``schema``.

    :param schema: column names and type names, or the path of a JSON file with an object of them.
    :raises AlloincognitoSchemaError: if it is empty, names an unknown type or is not valid JSON.
    :raises AlloincognitoTargetError: if the file's store cannot be read.
    """
    if schema is None:
        return None
    columns = schema if isinstance(schema, Mapping) else _read_schema_file(schema)
    if not columns:
        raise AlloincognitoSchemaError("The schema names no column. Add columns, or leave it out to have it inferred.")
    for column, type_name in columns.items():
        if not isinstance(column, str) or type_name not in get_args(TypeName):
            raise AlloincognitoSchemaError(
                f"The schema gives column {column!r} the type {type_name!r}, which is unknown. "
                f"Use one of {', '.join(get_args(TypeName))}."
            )
    return cast(Schema, dict(columns))


def _read_schema_file(path: Target) -> Mapping[str, Any]:
    if isinstance(path, str) and "://" in path:
        from airflow_provider_alloincognito.compat import ObjectStoragePath

        path = ObjectStoragePath(path)
    try:
        with open_for_reading(path) as file:
            columns = json.loads(file.read())
    except AlloincognitoTargetError:
        raise
    except (OSError, ValueError) as error:
        raise AlloincognitoSchemaError(
            f"The schema file {path} cannot be read as JSON ({type(error).__name__}). It must hold an object like "
            '{"number": "string", "duration": "int64", "startTime": "timestamp"}.'
        ) from error
    if not isinstance(columns, dict):
        raise AlloincognitoSchemaError(f"The schema file {path} must hold a JSON object of column names and types.")
    return columns

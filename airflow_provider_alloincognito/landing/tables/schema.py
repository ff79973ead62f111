"""The columns of a table of rows: their names, order and types."""

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
    Read the ``schema`` argument.

    :param schema: column names and type names, or the path of a JSON file with an object of them.
    """
    if schema is None:
        return None
    named = schema if isinstance(schema, Mapping) else _schema_file(schema)
    if not named:
        raise AlloincognitoSchemaError("The schema names no column; leave it out to have it inferred")
    for column, type_name in named.items():
        if not isinstance(column, str) or type_name not in get_args(TypeName):
            raise AlloincognitoSchemaError(
                f"The schema gives column {column!r} the type {type_name!r}; "
                f"allowed are {', '.join(get_args(TypeName))}"
            )
    return cast(Schema, dict(named))


def _schema_file(path: Target) -> Mapping[str, Any]:
    if isinstance(path, str) and "://" in path:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        path = ObjectStoragePath(path)
    try:
        with open_for_reading(path) as file:
            named = json.loads(file.read())
    except AlloincognitoTargetError:
        raise
    except (OSError, ValueError) as error:
        raise AlloincognitoSchemaError(
            f"The schema file {path} cannot be read as JSON ({type(error).__name__}). It is an object like "
            '{"number": "string", "duration": "int64", "startTime": "timestamp"}'
        ) from error
    if not isinstance(named, dict):
        raise AlloincognitoSchemaError(f"The schema file {path} holds no JSON object of columns and types")
    return named

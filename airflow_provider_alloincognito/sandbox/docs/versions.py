"""An OpenAPI 3.1 document written as OpenAPI 3.0 or Swagger 2.0 have it."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_alloincognito.sandbox.docs.schemas import REF


def in_version(document: dict[str, Any], version: Literal["2.0", "3.0", "3.1"]) -> dict[str, Any]:
    """
    Return a document in another version. Only what the sandbox's documents have is taken into account.

    :param document: OpenAPI 3.1
    :param version: the version to return
    """
    if version == "2.0":
        swagger = _swagger(_rewritten(document, "x-nullable"))
        swagger["definitions"] = _needed(swagger["paths"], swagger["definitions"])
        return swagger
    written: dict[str, Any] = document if version == "3.1" else _rewritten(document, "nullable")
    components = {**written["components"], "schemas": _needed(written["paths"], written["components"]["schemas"])}
    return {**written, "openapi": {"3.0": "3.0.3", "3.1": "3.1.0"}[version], "components": components}


def _rewritten(part: Any, nullable: str) -> Any:
    """Replace a list of types by one type, and null among them by a keyword."""
    if isinstance(part, list):
        return [_rewritten(one, nullable) for one in part]
    if not isinstance(part, dict):
        return part
    written = {name: _rewritten(value, nullable) for name, value in part.items()}
    if isinstance(kinds := part.get("type"), list):
        others = [kind for kind in kinds if kind != "null"]
        if len(others) == 1:
            written["type"] = others[0]
        else:
            del written["type"]
        if "null" in kinds:
            written[nullable] = True
    return written


def _swagger(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    base = document["servers"][0]["url"]
    swagger = {
        "swagger": "2.0",
        "info": document["info"],
        **({"basePath": base} if base != "/" else {}),
        "paths": {
            path: {verb: _swagger_operation(operation, schemas) for verb, operation in operations.items()}
            for path, operations in document["paths"].items()
        },
        "definitions": {name: _without_alternatives(schema) for name, schema in schemas.items()},
        "securityDefinitions": {
            "bearer": {"type": "apiKey", "name": "Authorization", "in": "header", "description": "Bearer <token>"}
        },
    }
    written: dict[str, Any] = _with_definitions(swagger)
    return written


def _swagger_operation(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [_swagger_parameter(one) for one in operation.get("parameters", ())]
    consumes: dict[str, Any] = {}
    if body := operation.get("requestBody"):
        ((media_type, content),) = body["content"].items()
        consumes = {"consumes": [media_type]}
        if media_type == "application/json":
            parameters.append({"name": "body", "in": "body", "required": True, "schema": content["schema"]})
        else:
            parameters += _form_parameters(content, schemas)
    responses = {
        status: {
            "description": response["description"],
            **({"schema": content["application/json"]["schema"]} if (content := response.get("content")) else {}),
        }
        for status, response in operation["responses"].items()
    }
    kept = {name: value for name, value in operation.items() if name not in ("parameters", "requestBody", "responses")}
    return {
        **kept,
        **consumes,
        "produces": ["application/json"],
        **({"parameters": parameters} if parameters else {}),
        "responses": responses,
    }


def _swagger_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    described = {name: value for name, value in parameter.items() if name not in ("schema", "explode")}
    described |= parameter["schema"]
    if described["type"] == "array":
        described["collectionFormat"] = "multi" if parameter["explode"] else "csv"
    return described


def _form_parameters(content: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    schema = content["schema"]
    schema = schemas[schema["$ref"].removeprefix(REF)] if "$ref" in schema else schema
    joined = content.get("encoding", {})
    return [
        _swagger_parameter(
            {
                "name": name,
                "in": "formData",
                "required": name in schema["required"],
                "schema": one,
                "explode": name not in joined,
            }
        )
        for name, one in schema["properties"].items()
    ]


def _without_alternatives(schema: dict[str, Any]) -> dict[str, Any]:
    """Swagger 2.0 has no ``anyOf``: say only that it is an object."""
    return {"type": "object", "description": schema["description"]} if "anyOf" in schema else schema


def _with_definitions(part: Any) -> Any:
    if isinstance(part, list):
        return [_with_definitions(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        name: value.replace(REF, "#/definitions/") if name == "$ref" else _with_definitions(value)
        for name, value in part.items()
    }


def _needed(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas to which the paths refer, directly or not."""
    needed: set[str] = set()
    found = _references(paths)
    while found:
        needed |= found
        found = {name for one in found for name in _references(schemas[one])} - needed
    return {name: schema for name, schema in schemas.items() if name in needed}


def _references(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for one in part for name in _references(one)}
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"].rpartition("/")[2]} if "$ref" in part else set()
    return own.union(*map(_references, part.values()))

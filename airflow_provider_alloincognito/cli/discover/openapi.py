"""
Read an API's document: Swagger 2, OpenAPI 3.0 and 3.1, as strict as the documents that are found in the wild.

References are resolved by ``referencing`` and only where they are followed, so cycles need no care but a walk's own
bounds. What cannot be read is left out: a document need not be valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urldefrag, urljoin, urlsplit

import referencing
import referencing.exceptions

from airflow_provider_alloincognito.cli.discover.documents import Located, version_of
from airflow_provider_alloincognito.cli.discover.schemas import Part, Schema, schema_of_example, walk

VERBS = ("get", "post", "put", "patch", "delete", "head", "options")
NO_BASE = "document:/"
VERSION_NAME = re.compile(r"^(?:api[-_]?)?ver(?:sion)?$", re.IGNORECASE)
MOST_REFERENCES = 40
MOST_OPERATIONS = 5_000

Place = Literal["query", "path", "header", "cookie", "form", "multipart", "json"]


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of an operation; of a body, each field is one.

    :param name: the server's, with dots where it lies within another.
    :param where: the part of the request that it is in.
    :param schema: what its value looks like.
    :param required: whether a request must have it.
    :param description: what is said of it.
    :param list_format: how several values are written in a query or form: ``repeat``, ``comma``, or another that the
        package cannot write.
    """

    name: str
    where: Place
    schema: Schema = field(repr=False)
    required: bool = False
    description: str = ""
    list_format: str = "repeat"


@dataclass(frozen=True)
class Answer:
    """
    One response of an operation.

    :param status: its HTTP status, as the document writes it.
    :param media: its media type.
    :param schema: what its body looks like.
    """

    status: str
    media: str
    schema: Schema = field(repr=False)


@dataclass(frozen=True)
class Operation:
    """
    One operation.

    :param verb: in capitals.
    :param path: with the base path, from the server's root.
    :param host: scheme, host and port that the document names; empty if it is relative to its own.
    :param name: its ``operationId`` and tags.
    :param summary: what is said of it.
    :param security: the schemes that it wants, as the document describes them.
    """

    verb: str
    path: str
    host: str
    name: str
    summary: str
    parameters: tuple[Parameter, ...] = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    is_deprecated: bool = False
    security: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @cached_property
    def good(self) -> tuple[Answer, ...]:
        """The responses of a success: with JSON first."""
        good = [one for one in self.answers if one.status.startswith("2")]
        good = good or [one for one in self.answers if one.status == "default"]
        return tuple(
            sorted(good, key=lambda one: (one.status != "200", "json" not in one.media and one.media != "*/*"))
        )

    @property
    def answer(self) -> Schema:
        """What the response of a success looks like."""
        return self.good[0].schema if self.good else Schema([])


class _Resolver:
    """Follows the references in one document."""

    def __init__(self, resolver: Any, problems: list[str]) -> None:
        self._resolver = resolver
        self._problems = problems
        self._known: dict[str, Part] = {}

    def resolve(self, reference: str) -> Part:
        if reference not in self._known:
            self._known[reference] = self._look_up(reference)
        return self._known[reference]

    def _look_up(self, reference: str) -> Part:
        try:
            found = self._resolver.lookup(reference)
        except (referencing.exceptions.Unresolvable, ValueError, TypeError, AttributeError):
            self._problems.append(f"The reference {reference} leads nowhere.")
            return {}, self
        # Within one document, what was looked up before serves all.
        return found.contents, self if reference.startswith("#") else _Resolver(found.resolver, self._problems)


class Document:
    """
    An API's document.

    :param located: as it was found.
    :param fetch: returns the document at another address; None if there is none, or if it may not be asked for.
    """

    def __init__(self, located: Located, fetch: Callable[[str], Any] = lambda _: None) -> None:
        self.content = located.content
        self.address = located.address
        self.version = version_of(self.content)
        self.problems: list[str] = []
        self._base = located.base or NO_BASE
        self._fetch = fetch
        self._left = MOST_REFERENCES
        root = referencing.Resource.opaque(self.content)
        registry = referencing.Registry(retrieve=self._retrieve).with_resource(self._base, root)  # type: ignore[call-arg]
        self._resolver = _Resolver(registry.resolver(base_uri=self._base), self.problems)

    def _retrieve(self, uri: str) -> Any:
        self._left -= 1
        content = self._fetch(urldefrag(uri).url) if self._left >= 0 else None
        if content is None:
            raise LookupError(uri)
        return referencing.Resource.opaque(content)

    @cached_property
    def title(self) -> str:
        """What the document calls the API."""
        info = self.content.get("info")
        return str(info.get("title") or "") if isinstance(info, dict) else ""

    @cached_property
    def about(self) -> str:
        """What the document says of the whole API."""
        info = self.content.get("info")
        return str(info.get("description") or "") if isinstance(info, dict) else ""

    @cached_property
    def operations(self) -> list[Operation]:
        """All operations, in the document's order."""
        found: list[Operation] = []
        for path, item in self.content["paths"].items():
            item, resolver = self._followed(item, self._resolver)
            for verb in VERBS:
                if isinstance(item.get(verb), dict) and len(found) < MOST_OPERATIONS:
                    found.append(self._operation(verb, str(path), item, item[verb], resolver))
        return found

    def _operation(self, verb: str, path: str, item: dict[str, Any], raw: dict[str, Any], resolver: Any) -> Operation:
        host, base = self._server(raw, item)
        parameters = list(self._parameters(raw, item, resolver))
        for fixed in [one for one in parameters if one.where == "path"]:
            if (value := self._fixed_value(fixed)) is not None:
                path = path.replace(f"{{{fixed.name}}}", value)
                parameters.remove(fixed)
        texts = [raw.get("summary"), raw.get("description")]
        tags = [tag for tag in _list(raw.get("tags")) if isinstance(tag, str)]
        return Operation(
            verb=verb.upper(),
            path=f"{base}/{path.lstrip('/')}",
            host=host,
            name=" ".join([str(raw.get("operationId") or ""), *tags]),
            summary=" ".join(" ".join(text.split()) for text in texts if isinstance(text, str)),
            parameters=tuple(parameters),
            answers=tuple(self._answers(raw, resolver)),
            is_deprecated=raw.get("deprecated") is True,
            security=tuple(self._security(raw)),
        )

    def _fixed_value(self, parameter: Parameter) -> str | None:
        """Return the value of a part of a path that has one value only, such as the API's version."""
        schema = parameter.schema
        if schema.default is not None:
            return str(schema.default)
        if len(schema.values) == 1:
            return str(schema.values[0])
        if VERSION_NAME.search(parameter.name):
            info = self.content.get("info")
            version = schema.example or (info.get("version") if isinstance(info, dict) else None)
            return str(version).lstrip("vV") if version else None
        return None

    def _followed(self, raw: Any, resolver: Any) -> Part:
        for _ in range(MOST_REFERENCES):
            if not isinstance(raw, dict):
                return {}, resolver
            if not isinstance(raw.get("$ref"), str):
                return raw, resolver
            raw, resolver = resolver.resolve(raw["$ref"])
        return {}, resolver

    # Where it is

    def _server(self, raw: dict[str, Any], item: dict[str, Any]) -> tuple[str, str]:
        """Return the host that an operation names, if any, and the base of its path."""
        if "swagger" in self.content:
            host, base = self.content.get("host"), self.content.get("basePath")
            schemes = [one for one in _list(self.content.get("schemes")) if isinstance(one, str)]
            scheme = "https" if not schemes or "https" in schemes else schemes[0]
            return f"{scheme}://{host}" if host else "", str(base or "").rstrip("/")
        servers: list[Any] = next(
            (one["servers"] for one in (raw, item, self.content) if _list(one.get("servers"))), []
        )
        urls = [_server_url(one) for one in servers if isinstance(one, dict)] or [""]
        here = "{0.scheme}://{0.netloc}".format(urlsplit(self._base))
        absolute = [urljoin(self._base if self._base != NO_BASE else "", url) if url else "" for url in urls]
        best = next((url for url in absolute if url.startswith(here)), None)
        best = best if best is not None else next((url for url in absolute if "://" not in url), absolute[0])
        try:
            parts = urlsplit(best)
        except ValueError:
            return "", ""
        host = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
        return host, parts.path.rstrip("/")

    # What it takes

    def _parameters(self, raw: dict[str, Any], item: dict[str, Any], resolver: Any) -> Iterator[Parameter]:
        found: dict[tuple[str, str], Part] = {}
        for one in (*_list(item.get("parameters")), *_list(raw.get("parameters"))):
            parameter, inner = self._followed(one, resolver)
            if isinstance(parameter.get("name"), str):
                found[parameter["name"], str(parameter.get("in"))] = (parameter, inner)
        for (name, where), (parameter, inner) in found.items():
            if where == "body":
                yield from self._body_fields(Schema([(_dict(parameter.get("schema")), inner)]), "json")
            else:
                place = ("multipart" if self._is_multipart(raw) else "form") if where == "formData" else where
                yield self._parameter(name, place, parameter, inner)
        body, inner = self._followed(raw.get("requestBody"), resolver)
        if media := _best_media(_dict(body.get("content"))):
            form: Place = "form" if "urlencoded" in media else "multipart" if "multipart" in media else "json"
            content = _dict(body["content"][media])
            encoding = _dict(content.get("encoding"))
            for one in self._body_fields(self._content_schema(content, inner), form):
                yield replace(one, list_format=self._list_format(_dict(encoding.get(one.name))))

    def _is_multipart(self, raw: dict[str, Any]) -> bool:
        consumes = [str(one) for one in _list(raw.get("consumes")) or _list(self.content.get("consumes"))]
        return any("multipart" in one for one in consumes) and not any("urlencoded" in one for one in consumes)

    def _parameter(self, name: str, where: Any, raw: dict[str, Any], resolver: Any) -> Parameter:
        described = raw.get("schema")
        if described is None and isinstance(raw.get("content"), dict):
            described = next((_dict(one).get("schema") for one in raw["content"].values()), None)
        own = {key: value for key, value in raw.items() if key != "required" and key != "schema"}
        schema = Schema([(_dict(described), resolver), (own, resolver)] if described else [(own, resolver)])
        return Parameter(
            name=name,
            where=where,
            schema=schema,
            required=raw.get("required") is True,
            description=" ".join(str(raw.get("description") or schema.description).split()),
            list_format=self._list_format(raw),
        )

    def _list_format(self, raw: dict[str, Any]) -> str:
        if "swagger" in self.content:
            items = str(raw.get("collectionFormat") or "csv")
            return {"multi": "repeat", "csv": "comma"}.get(items, items)
        style = str(raw.get("style") or "form")
        if style != "form":
            return style
        return "comma" if raw.get("explode") is False else "repeat"

    def _body_fields(self, schema: Schema, where: Place) -> Iterator[Parameter]:
        """Yield a body's fields. Those of an object in it have its name and a dot before theirs."""
        for path, one in walk(schema):
            if path and not (one.type == "object" and one.properties) and len(path) <= 3:
                parent = schema
                for name in path[:-1]:
                    parent = parent.properties[name]
                required = path[-1] in parent.required
                yield Parameter(".".join(path), where, one, required, one.description)

    # What it answers

    def _answers(self, raw: dict[str, Any], resolver: Any) -> Iterator[Answer]:
        responses = raw.get("responses")
        for status, one in responses.items() if isinstance(responses, dict) else ():
            response, inner = self._followed(one, resolver)
            content = _dict(response.get("content"))
            for media, described in content.items():
                yield Answer(str(status), str(media).lower(), self._content_schema(_dict(described), inner))
            if not content:
                yield self._swagger_answer(str(status), raw, response, inner)

    def _swagger_answer(self, status: str, raw: dict[str, Any], response: dict[str, Any], resolver: Any) -> Answer:
        examples = _dict(response.get("examples"))
        produces = [str(one).lower() for one in _list(raw.get("produces")) or _list(self.content.get("produces"))]
        media = next((one for one in produces if "json" in one), (produces or [""])[0])
        described = {"schema": response.get("schema")}
        if examples:
            described["example"] = examples.get("application/json", next(iter(examples.values())))
        return Answer(status, media, self._content_schema(described, resolver))

    def _content_schema(self, described: dict[str, Any], resolver: Any) -> Schema:
        """Return the schema of a body; the example's, where there is none that says anything."""
        schema = Schema([(_dict(described.get("schema")), resolver)])
        if schema.properties or schema.items:
            return schema
        examples = [described.get("example"), schema.example]
        for one in _dict(described.get("examples")).values():
            example, _ = self._followed(one, resolver)
            examples.append(example.get("value"))
        for example in filter(None, examples):
            value = _json(example)
            if isinstance(value, dict | list):
                return Schema([(schema_of_example(value), resolver), *schema.parts])
        return schema

    # What it wants of a client

    def _security(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        wanted = raw["security"] if isinstance(raw.get("security"), list) else _list(self.content.get("security"))
        schemes = _dict(_dict(self.content.get("components")).get("securitySchemes"))
        schemes = schemes or _dict(self.content.get("securityDefinitions"))
        for name in (name for one in wanted if isinstance(one, dict) for name in one):
            scheme, _ = self._followed(schemes.get(name), self._resolver)
            if scheme:
                yield {"name": name, **scheme}


def _server_url(server: dict[str, Any]) -> str:
    variables = _dict(server.get("variables"))

    def default(found: re.Match[str]) -> str:
        return str(_dict(variables.get(found[1])).get("default", ""))

    return re.sub(r"\{([^{}]+)\}", default, str(server.get("url") or "")).strip()


def _best_media(content: dict[str, Any]) -> str:
    """Return the media type of a body that the package can send, or else the first."""
    for wanted in ("json", "*/*", "urlencoded", "multipart"):
        for media in content:
            if wanted in str(media).lower():
                return str(media)
    return str(next(iter(content), ""))


def _json(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

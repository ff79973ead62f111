"""
A document from its text: JSON, YAML, or what a page or a script holds of it.

What is read comes from strangers: no YAML tag makes an object, aliases and depth are limited, and a text is searched in
a time that grows with its length only.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import yaml

VERSIONED = re.compile(r"""^\s*["']?(?:swagger|openapi)["']?\s*:""", re.MULTILINE)
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.-]+)", re.IGNORECASE)
META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.-]+)", re.IGNORECASE)
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Texts, comments and braces of JavaScript, and the key that tells the document's own object from those in it. What is
# not closed runs to its end, so that each character is looked at once.
SCRIPT_TOKEN = re.compile(
    r"""
    (?P<version>
        (?: (?<![\w$.])(?:openapi|swagger) | "(?:openapi|swagger)" | '(?:openapi|swagger)' ) \s*:\s*
        (?: "[123]\.\d[^"\n]*" | '[123]\.\d[^'\n]*' | [123]\.\d )
    )
  | (?P<text>"(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? | `(?:[^`\\]|\\.)*`?)
  | (?P<comment>//[^\n]* | /\*(?:.*?\*/|.*))
  | (?<![\w$.])(?P<key>[A-Za-z_$][\w$]*)\s*:(?=\S)
  | (?P<open>\{) | (?P<close>\})
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPED_KEY = re.compile(r'\\"(?:openapi|swagger)\\"')
DEEPEST_YAML = 200
MOST_ALIASES = 5_000
MOST_MERGED_KEYS = 20_000
LARGEST_YAML = 8 << 20


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values as JSON has them: dates stay texts, only true and false are booleans, every key is a text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def flatten_mapping(self, node: Any) -> None:
        if len(node.value) > MOST_MERGED_KEYS:  # merges of merges
            raise yaml.YAMLError("too many merged keys")
        super().flatten_mapping(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        if isinstance(node, yaml.MappingNode):
            self.flatten_mapping(node)
        return {
            key.value if isinstance(key, yaml.ScalarNode) else "": self.construct_object(value, deep=deep)
            for key, value in node.value
        }


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,18})$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def decode(data: bytes, content_type: str = "") -> str:
    """Return a body's text: by its byte order mark, its declared encoding, UTF-8, or else the Russian Windows'."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    declared = CHARSET.search(content_type)
    in_page = META_CHARSET.search(data[:2048])
    names = [declared[1]] if declared else []
    names += [in_page[1].decode("ascii", "replace")] if in_page else []
    for name in (*names, "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("cp1251", "replace")


def parse(text: str) -> Any:
    """Return the value of a JSON text, or of a YAML text that says that it is an API's document; None for others."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("<"):
        return None
    try:
        return json.loads(stripped, strict=False)
    except (ValueError, RecursionError):
        pass
    return _yaml(stripped) if VERSIONED.search(stripped) else None


def _yaml(text: str) -> Any:
    if len(text) > LARGEST_YAML:
        return None
    try:
        return yaml.load(text, _Loader) if _is_harmless(text) else None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return None


def _is_harmless(text: str) -> bool:
    """Whether a YAML text is neither so deep that libyaml would end the process, nor made of aliases."""
    depth = aliases = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > DEEPEST_YAML or aliases > MOST_ALIASES:
            return False
    return True


def is_document(value: Any) -> bool:
    """Whether a value is an API's document, as far as its first level shows."""
    if not isinstance(value, dict) or not isinstance(value.get("paths"), dict):
        return False
    return any(key in value for key in ("openapi", "swagger", "components", "definitions", "info"))


def embedded(text: str) -> Iterator[dict[str, Any]]:
    """
    Yield the documents that are written out in a script or a page: as JSON, or as JavaScript writes objects.

    :param text: the script. Its objects need not be JSON: names without quotes and commas too many are usual.
    """
    starts: list[int] = []
    wanted: set[int] = set()
    for token in SCRIPT_TOKEN.finditer(text):
        if token["version"] is not None and starts:
            wanted.add(starts[-1])
        elif token["open"] is not None:
            starts.append(token.start())
        elif token["close"] is not None and starts:
            if (start := starts.pop()) in wanted:
                value = _literal(text[start : token.end()])
                if is_document(value):
                    yield value
        elif token["text"] is not None and ESCAPED_KEY.search(token["text"]):
            yield from _in_text(token["text"])


def _literal(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _yaml(SCRIPT_TOKEN.sub(_as_yaml, text))


def _as_yaml(token: re.Match[str]) -> str:
    """Return a token of JavaScript as YAML has it: without comments, and with a space after a name's colon."""
    if token["version"] is not None:
        return re.sub(r":\s*", ": ", token[0], count=1)
    return "" if token["comment"] else f"{token['key']}: " if token["key"] else token[0]


def _in_text(literal: str) -> Iterator[dict[str, Any]]:
    """Yield the document that a script gives to ``JSON.parse`` as a text."""
    try:
        value = parse(json.loads(f'"{literal[1:-1]}"', strict=False))
    except (ValueError, RecursionError):
        return
    if is_document(value):
        yield value

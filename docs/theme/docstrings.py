"""What docstrings have otherwise than the reference's Markdown: Sphinx' roles, and lists nested by two spaces."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod):`~?(?:[\w.]*\.)?(\w+)`")
NESTED = re.compile(r"^( +)- ", re.MULTILINE)


class AsMarkdown(griffe.Extension):
    """Turn ``:class:`~package.module.Name``` into ``Name``, and nest lists by four spaces."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object before it is parsed."""
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = NESTED.sub(lambda found: f"{found[1] * 2}- ", text)

"""How the sandbox describes its API: which document, where it is, and how a reader finds it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from airflow_provider_alloincognito.sandbox.faults import Method, StrictModel

Path = Annotated[str, Field(pattern="^/")]


class Docs(StrictModel):
    """
    The document, and the page ``/docs``. As JSON: ``{"docs": {"version": "2.0", "page": "initializer"}}``.

    :param version: of the document: Swagger 2.0, OpenAPI 3.0 or 3.1
    :param path: where the document is; with the ending ``.yaml`` or ``.yml`` it is YAML. None: it can only be in the
        page
    :param base: the beginning of all paths of methods that the document writes once (``basePath``, ``servers``)
    :param left_out: methods that the document does not describe
    :param text: a text to serve instead of the document, such as one that was written by hand
    :param page: what ``/docs`` is: a page of Swagger UI, where the document's address stands in a script of the page
        (``address``), in a configuration that the page names (``config_url``) or in ``swagger-initializer.js``
        (``initializer``), or where the document itself stands in the page (``embedded``) or in
        ``swagger-initializer.js`` (``initializer_embedded``); the document itself (``document``); or nothing
        (``none``: 404)
    :param address: the document's address as the page writes it, such as ``openapi.json`` or a whole URL; None: its
        path
    :param page_path: where the page is, if ``/docs`` only redirects to it
    :param login: page and document ask for a login: by ``basic`` (as ``user`` and ``password``), by ``bearer`` (a valid
        authorization or access token), or by a page with a form (``form``), which nobody passes
    :param user: the name for ``login="basic"``
    :param password: the password for ``login="basic"``
    """

    version: Literal["2.0", "3.0", "3.1"] = "3.0"
    path: Path | None = "/docs/openapi.json"
    base: str = Field(default="", pattern="^(/.*[^/])?$")
    left_out: Annotated[
        tuple[Method, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
    ] = ()
    text: str | None = None
    page: Literal["address", "config_url", "initializer", "embedded", "initializer_embedded", "document", "none"] = (
        "address"
    )
    address: str | None = None
    page_path: Path | None = None
    login: Literal["basic", "bearer", "form"] | None = None
    user: str = "docs"
    password: str = "docs"

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if self.path is None and self.address is None and self.page in ("address", "config_url", "initializer"):
            raise ValueError(f"docs.page={self.page!r} needs docs.path or docs.address.")
        return self

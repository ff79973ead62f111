"""The sandbox as a FastAPI application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_alloincognito.sandbox.admin import PREFIX, admin_router
from airflow_provider_alloincognito.sandbox.docs import docs_page, with_methods
from airflow_provider_alloincognito.sandbox.methods import Methods
from airflow_provider_alloincognito.sandbox.state import SandboxState


class SandboxApp(FastAPI):
    """
    The five methods, the documentation, and the administration.

    The methods are served before FastAPI's own routing: their paths may change while it runs, faults need the bare
    connection, and many clients hammer at them.

    :param state: what the sandbox knows
    """

    def __init__(self, state: SandboxState) -> None:
        super().__init__(title="AlloIncognito integration API: a sandbox", docs_url=None, redoc_url=None)
        self._sandbox = state
        self._methods = Methods(state)
        self._routed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"]
        method = self._sandbox.settings.methods_by_path.get(path)
        if method is not None:
            # Cancelled: the server is stopped in the middle of a latency or a stall; nobody is there to be told.
            with contextlib.suppress(asyncio.CancelledError):
                await self._methods.serve(method, scope, receive, send)
        elif path in ("/docs", "/openapi.json") or path.startswith(PREFIX + "/"):
            self._route()
            await super().__call__(scope, receive, send)
        else:
            await self._not_found(scope, receive, send)

    def _route(self) -> None:
        """Build FastAPI's routes when first needed: most tests never do, and they take longer than all the rest."""
        if self._routed:
            return
        self._routed = True
        if self._sandbox.settings.admin:
            self.include_router(admin_router(self._sandbox))
        self.add_api_route("/docs", self._docs, include_in_schema=False, response_class=HTMLResponse)

    def openapi(self) -> dict[str, Any]:
        """Give the document of the five methods, under their paths of this moment, and of the administration."""
        document = super().openapi()
        return with_methods({**document, "paths": dict(document["paths"])}, self._sandbox.settings)

    async def _docs(self) -> HTMLResponse:
        return HTMLResponse(docs_page(self.openapi()))

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        journal = self._sandbox.journal
        entry = journal.open("unknown", scope["method"], scope["path"], scope["query_string"].decode("latin-1"), {}, {})
        entry.outcome = "not_found"
        journal.answered(entry, 404)
        await JSONResponse({"error": "not found"}, 404)(scope, receive, send)
        journal.sent(entry)

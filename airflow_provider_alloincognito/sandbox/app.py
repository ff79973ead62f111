"""The sandbox's FastAPI application: the administration under ``/_sandbox``; before it the methods, and ``/docs``."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_alloincognito.sandbox.calls import truth_line
from airflow_provider_alloincognito.sandbox.docs.serving import DocsServer
from airflow_provider_alloincognito.sandbox.faults import Fault
from airflow_provider_alloincognito.sandbox.methods import Methods
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.state import SandboxState

_ADMIN = "/_sandbox"


class SandboxApp(FastAPI):
    """
    The API's five methods, their description, and the administration, which has a description of its own.

    The methods are served before FastAPI's own routing: their paths may change while it runs, faults need the
    connection itself, and tests send many requests.

    :param state: the sandbox's state
    """

    def __init__(self, state: SandboxState) -> None:
        has_admin = state.settings.admin
        super().__init__(
            title="AlloIncognito integration API: the administration of the sandbox",
            docs_url=f"{_ADMIN}/docs" if has_admin else None,
            openapi_url=f"{_ADMIN}/openapi.json" if has_admin else None,
            redoc_url=None,
            swagger_ui_oauth2_redirect_url=None,
        )
        self._sandbox = state
        self._methods = Methods(state)
        self._docs = DocsServer(
            lambda token: state.tokens.check(token, "access").valid or token == state.authorization_token
        )
        self._has_admin_routes = False
        for bad_input in (ValueError, RequestValidationError):
            self.add_exception_handler(bad_input, _bad_request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as an ASGI application does."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"]
        found = self._sandbox.settings.find_method(path, scope["raw_path"].decode("latin-1"))
        if found is not None:
            # Cancelled: the server stops during a latency or a stall, and the client is gone.
            with contextlib.suppress(asyncio.CancelledError):
                await self._methods.serve(*found, scope, receive, send)
        elif path.startswith(f"{_ADMIN}/"):
            self._add_admin_routes()
            await super().__call__(scope, receive, send)
        elif response := self._docs.respond(self._sandbox.settings, Request(scope)):
            await response(scope, receive, send)
        else:
            await self._not_found(scope, receive, send)

    def _add_admin_routes(self) -> None:
        """Add them when first needed: most tests never need them, and they take longer than all the rest."""
        if self._sandbox.settings.admin and not self._has_admin_routes:
            self._has_admin_routes = True
            self.include_router(_admin_router(self._sandbox))

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        log = self._sandbox.request_log
        entry = log.add("unknown", scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        entry.outcome = "not_found"
        log.note_status(entry, 404)
        await JSONResponse({"error": "not found"}, 404)(scope, receive, send)
        entry.note_sent()


async def _bad_request(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 400)


def _admin_router(state: SandboxState) -> APIRouter:
    """Return the routes of the administration, which needs no authentication."""
    router = APIRouter(prefix=_ADMIN, tags=["sandbox"])
    for verb, path, action in (
        ("DELETE", "/requests", state.clear_log),
        ("DELETE", "/faults", state.clear_faults),
        ("POST", "/kill_pair", state.kill_pair),
        ("POST", "/expire_access", state.expire_access),
        ("POST", "/expire_pair", state.expire_pair),
        ("POST", "/forget_hashes", state.forget_hashes),
    ):
        router.add_api_route(path, action, methods=[verb], status_code=204, response_model=None)

    @router.get("/state")
    async def summary() -> dict[str, Any]:
        """Requests counted by method, pairs made, faults still to come."""
        makers = [rotation.by for rotation in state.rotations]
        return {
            "requests": state.request_log.summary(),
            "rotations": len(makers),
            "rotations_by": {by: makers.count(by) for by in ("create", "refresh", "stranger")},
            "faults": [fault.to_json() for fault in state.faults],
        }

    @router.get("/requests")
    async def requests(method: str | None = None, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """The log of requests, in order. For the next page, set ``after`` to the last ``number`` received."""
        found = (one for one in state.requests if one.number > after and method in (None, one.method))
        return [one.to_json() for one in islice(found, limit)]

    @router.get("/count")
    async def count(method: str, status: int | None = None) -> dict[str, int]:
        """The number of requests of a method (whose response had a status)."""
        return {"count": state.count(method, status=status)}

    @router.get("/rotations")
    async def rotations() -> list[dict[str, Any]]:
        """Every token pair that was made, and by what."""
        return [rotation.to_json() for rotation in state.rotations]

    @router.get("/tokens")
    async def tokens() -> dict[str, Any]:
        """The authorization token, and every token that was issued (for searches for leaks)."""
        return {"authorization_token": state.authorization_token, "ever_issued": state.tokens_ever_issued}

    @router.post("/authorization_token")
    async def remake() -> dict[str, str]:
        """Make a new authorization token, as in the personal account."""
        return {"authorization_token": state.remake_authorization_token()}

    @router.get("/settings")
    async def settings() -> SandboxSettings:
        """The current settings, without the authorization token."""
        return state.settings

    @router.patch("/settings")
    async def configure(changes: Annotated[dict[str, Any], Body()]) -> SandboxSettings:
        """Change settings."""
        return state.configure(**changes)

    @router.get("/faults")
    async def faults() -> list[Fault]:
        """The faults still to come."""
        return state.faults

    @router.post("/faults", status_code=204, response_model=None)
    async def add_fault(fault: Fault) -> None:
        """Put a fault at the end of the queue."""
        state.add_fault(fault)

    @router.get("/truth", response_class=StreamingResponse)
    def truth(start: str, end: str) -> StreamingResponse:
        """The rows of calls with ``start <= their start < end`` as JSON lines, straight from the generator."""
        return StreamingResponse(map(truth_line, state.truth_rows(start, end)), media_type="application/x-ndjson")

    @router.get("/phone_numbers")
    def phone_numbers(start: str, end: str) -> list[str]:
        """Every phone number of a period's calls (for searches for leaks)."""
        return sorted(state.phone_numbers(start, end))

    @router.get("/recordings/{record_file_id}", response_class=Response)
    def recording(record_file_id: str) -> Response:
        """A recording's mp3."""
        try:
            return Response(state.recording(record_file_id), media_type="audio/mpeg")
        except KeyError:
            raise HTTPException(404, "Unknown recordFileId.") from None

    return router

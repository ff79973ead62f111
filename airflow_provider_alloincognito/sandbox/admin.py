"""The sandbox's own administration under ``/_sandbox``: no part of the API, and no authentication."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Body, HTTPException, Response
from fastapi.responses import StreamingResponse

from airflow_provider_alloincognito.sandbox.calls import truth_line
from airflow_provider_alloincognito.sandbox.faults import Fault
from airflow_provider_alloincognito.sandbox.state import SandboxState

PREFIX = "/_sandbox"


def admin_router(state: SandboxState) -> APIRouter:
    """
    Build the administration's routes.

    :param state: what they look at and change
    """
    router = APIRouter(prefix=PREFIX, tags=["sandbox"])
    _add_log_routes(router, state)
    _add_token_routes(router, state)
    _add_settings_routes(router, state)
    _add_truth_routes(router, state)
    return router


def _add_log_routes(router: APIRouter, state: SandboxState) -> None:
    @router.get("/state")
    async def summary() -> dict[str, Any]:
        """Counts by method, pairs made, faults waiting."""
        rotations = [rotation.to_json() for rotation in state.rotations]
        return {
            "requests": state.journal.summary(),
            "rotations": len(rotations),
            "rotations_by": {by: sum(one["by"] == by for one in rotations) for by in ("create", "refresh", "stranger")},
            "faults": [fault.to_json() for fault in state.faults],
        }

    @router.get("/requests")
    async def requests(method: str | None = None, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """What was asked, in order; page with ``after``, the last ``number`` seen."""
        asked = (one for one in state.requests if one.number > after and method in (None, one.method))
        return [one.to_json() for one, _ in zip(asked, range(limit), strict=False)]

    @router.delete("/requests", status_code=204)
    async def clear() -> None:
        """Forget the log and its counts."""
        state.clear_log()

    @router.get("/count")
    async def count(method: str, status: int | None = None) -> dict[str, int]:
        """How often a method was asked for (and answered with a status)."""
        with _bad_request():
            return {"count": state.count(method, status=status)}

    @router.get("/rotations")
    async def rotations() -> list[dict[str, Any]]:
        """Every pair that came to be, and by what."""
        return [rotation.to_json() for rotation in state.rotations]


def _add_token_routes(router: APIRouter, state: SandboxState) -> None:
    @router.get("/tokens")
    async def tokens() -> dict[str, Any]:
        """The authorization token, and every token that was ever issued (for searches for leaks)."""
        return {"authorization_token": state.authorization_token, "ever_issued": state.tokens_ever_issued}

    @router.post("/authorization_token")
    async def remake() -> dict[str, str]:
        """Remake the authorization token, as in the personal account."""
        return {"authorization_token": state.remake_authorization_token()}

    @router.post("/kill_pair", status_code=204)
    async def kill_pair() -> None:
        """A stranger makes a pair."""
        state.kill_pair()

    @router.post("/expire_access", status_code=204)
    async def expire_access() -> None:
        """The access token's life ends now."""
        state.expire_access()

    @router.post("/expire_pair", status_code=204)
    async def expire_pair() -> None:
        """The life of both tokens ends now."""
        state.expire_pair()

    @router.post("/forget_hashes", status_code=204)
    async def forget_hashes() -> None:
        """All request hashes are forgotten."""
        state.forget_hashes()


def _add_settings_routes(router: APIRouter, state: SandboxState) -> None:
    @router.get("/settings")
    async def settings() -> dict[str, Any]:
        """All knobs."""
        return state.settings.to_json()

    @router.patch("/settings")
    async def configure(knobs: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        """Change knobs."""
        with _bad_request():
            return state.configure(**knobs).to_json()

    @router.get("/faults")
    async def faults() -> list[dict[str, Any]]:
        """The faults still to come."""
        return [fault.to_json() for fault in state.faults]

    @router.post("/faults", status_code=204)
    async def add_fault(fault: dict[str, Any] = Body()) -> None:  # noqa: B008
        """Put a fault at the end of the queue."""
        with _bad_request():
            state.add_fault(Fault.of(fault))

    @router.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        """Forget the faults still to come."""
        state.clear_faults()


def _add_truth_routes(router: APIRouter, state: SandboxState) -> None:
    @router.get("/truth", response_class=StreamingResponse)
    def truth(start: str, end: str) -> StreamingResponse:
        """The rows of ``start <= start of the call < end`` as JSON lines, straight from the generator."""

        def lines() -> Iterator[bytes]:
            for row in state.truth_rows(start, end):
                yield truth_line(row)

        with _bad_request():
            state.truth(start, start), state.truth(end, end)
        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @router.get("/phone_numbers")
    def phone_numbers(start: str, end: str) -> list[str]:
        """Every phone number of a period's calls (for searches for leaks)."""
        with _bad_request():
            return sorted(state.phone_numbers(start, end))

    @router.get("/recordings/{record_file_id}", response_class=Response)
    def recording(record_file_id: str) -> Response:
        """A recording's mp3."""
        try:
            return Response(state.recording(record_file_id), media_type="audio/mpeg")
        except KeyError:
            raise HTTPException(404, "unknown recordFileId") from None


class _bad_request:
    """Turns the errors of bad input into status 400."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError | TypeError):
            raise HTTPException(400, str(error)) from None

"""The trigger against a sandbox: polling, events, errors, and many triggers on one loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from plain_server import RESULT_PATH, PlainServer, Said
from pytest_mock import MockerFixture
from trigger_runs import new_hash, payload_of, run, trigger_on, until

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.errors import AlloincognitoWaitTimeout
from airflow_provider_alloincognito.hooks import shared as async_process
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger, ready_event

METHOD = "getrequestresultbyhash"
NOBODYS_HASH = "bm9ib2R5cw=="

Connected = Callable[..., Sandbox]


def polls(sandbox: Sandbox) -> list[float]:
    """Return the times of all polls."""
    return [one.time for one in sandbox.requests if one.method == METHOD]


class TestWaiting:
    @pytest.mark.parametrize(
        ("style", "extra"), [("202", {}), ("no_rowset", {}), ("error_code", {"pending_error_codes": "1100"})]
    )
    def test_it_polls_until_the_result_is_ready(
        self, style: str, extra: dict[str, Any], connected_sandbox: Connected
    ) -> None:
        sandbox = connected_sandbox(extra, pending_polls=3, pending_style=style, always_awkward_hashes=True)
        request_hash = new_hash()
        assert run(trigger_on(request_hash, request_hashes=[request_hash, None])) == {
            "status": "ready",
            "request_hash": request_hash,
            "request_hashes": [request_hash, None],
        }
        assert sandbox.count(METHOD) == 4
        assert sandbox.count("create") == 1

    def test_it_backs_off(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_polls=4)
        run(trigger_on(new_hash(), poll_interval=0.1, poll_factor=2.0, poll_ceiling=0.4))
        moments = polls(sandbox)
        waits = [after - before for before, after in itertools.pairwise(moments)]
        for wait, wanted in zip(waits, (0.1, 0.2, 0.4, 0.4), strict=True):
            assert 0.89 * wanted < wait < 1.1 * wanted + 1  # test_polling.py has the exact intervals

    def test_only_the_first_wait_of_a_process_freezes_the_imported_objects(
        self, connected_sandbox: Connected, mocker: MockerFixture
    ) -> None:
        connected_sandbox()
        request_hash = new_hash()
        async_process.freeze_garbage_collector.cache_clear()
        freeze = mocker.patch("gc.freeze")
        run(trigger_on(request_hash))
        run(trigger_on(request_hash))
        assert freeze.call_count == 1

    def test_retry_after_of_a_pending_response(
        self, plain_server: Callable[..., PlainServer], connect: Callable[..., None]
    ) -> None:
        pending = Said(b"{}", 202, {"Retry-After": "1"})
        server = plain_server({RESULT_PATH: pending})
        connect(server)
        started = time.monotonic()

        async def becomes_ready() -> dict[str, Any]:
            waiting = asyncio.create_task(payload_of(trigger_on("h==")))
            await until(lambda: RESULT_PATH in server.paths)
            server.answers[RESULT_PATH] = Said(b'{"error": null, "result": {"rowset": []}}')
            return await waiting

        assert asyncio.run(becomes_ready())["status"] == "ready"
        assert time.monotonic() - started >= 1
        assert sum(path.startswith(RESULT_PATH) for path in server.paths) == 2

    def test_retry_after_of_a_busy_server(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        request_hash = new_hash()
        sandbox.add_fault("status", method=METHOD, status=429, retry_after=1)
        assert run(trigger_on(request_hash))["status"] == "ready"
        first, second = polls(sandbox)
        assert second - first >= 1

    def test_the_deadline_is_absolute_and_survives_serialization(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_seconds=3600.0)
        deadline = time.time() + 1.5
        path, arguments = trigger_on(new_hash(), deadline=deadline).serialize()
        assert path == f"{AlloincognitoRequestResultTrigger.__module__}.AlloincognitoRequestResultTrigger"
        time.sleep(0.6)
        again = AlloincognitoRequestResultTrigger(**json.loads(json.dumps(arguments)))
        assert run(again)["status"] == "timeout"
        assert again.serialize() == (path, arguments)
        assert -0.1 < time.time() - deadline < 5
        assert sandbox.count(METHOD) > 1

    def test_past_its_deadline_it_still_polls_once(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        assert run(trigger_on(new_hash(), seconds=-60))["status"] == "ready"
        sandbox.configure(pending_seconds=3600.0)
        assert run(trigger_on(new_hash(), seconds=-60))["status"] == "timeout"
        assert sandbox.count(METHOD) == 2

    def test_a_ready_check_of_the_user(self, connected_sandbox: Connected) -> None:
        connected_sandbox(pending_polls=2)
        request_hash = new_hash()
        assert run(trigger_on(request_hash, ready_check=f"{__name__}.always"))["status"] == "ready"
        event = run(trigger_on(request_hash, ready_check=f"{__name__}.never", seconds=1.0))
        assert event["status"] == "timeout"

    def test_a_ready_check_that_cannot_be_imported(self, connected_sandbox: Connected) -> None:
        connected_sandbox()
        event = run(trigger_on(new_hash(), ready_check="nowhere.to_be_found"))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoSettingsError")

    def test_a_ready_check_that_raises(self, connected_sandbox: Connected) -> None:
        connected_sandbox()
        event = run(trigger_on(new_hash(), ready_check=f"{__name__}.faulty"))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoSettingsError")
        assert "raised ZeroDivisionError (test_request_result_trigger.py, line" in event["message"]


class TestErrors:
    def test_a_rejected_authorization_token(self, connected_sandbox: Connected, connect: Callable[..., None]) -> None:
        sandbox = connected_sandbox()
        connect(sandbox, password="not.a.token")
        event = run(trigger_on(NOBODYS_HASH))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoAuthError")
        assert "alloincognito_default" in event["message"]
        assert len(sandbox.requests) == 1

    def test_an_unknown_hash(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        event = run(trigger_on(NOBODYS_HASH))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoApiError")
        assert sandbox.count(METHOD) == 1

    def test_a_missing_connection(self, monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT", raising=False)
        event = run(trigger_on(NOBODYS_HASH, alloincognito_conn_id="nobody"))
        assert event["error"] == "AlloincognitoSettingsError"
        assert "There is no Connection with this id" in event["message"]

    def test_transient_errors_are_retried(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        request_hash = new_hash()
        for fault in ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "status", "status": 502}):
            sandbox.add_fault(method=METHOD, **fault)
        assert run(trigger_on(request_hash))["status"] == "ready"
        assert sandbox.count(METHOD) == 4

    def test_a_truncated_response_is_requested_again(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_polls=1, pending_style="no_rowset")
        request_hash = new_hash()
        sandbox.add_fault("cut", method=METHOD, after_bytes=20)
        assert run(trigger_on(request_hash))["status"] == "ready"

    def test_a_lasting_error_is_named_at_the_deadline(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        request_hash = new_hash()
        sandbox.add_fault("status", method=METHOD, status=503, times=None)
        event = run(trigger_on(request_hash, seconds=2.0))
        assert event["status"] == "timeout"
        assert "503" in event["message"]
        with pytest.raises(AlloincognitoWaitTimeout, match=r"not ready in time\. The last error: .*503"):
            ready_event(event)
        assert sandbox.count(METHOD) > 1

    def test_an_event_holds_no_number_and_no_token(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox()
        request_hash = new_hash()
        sandbox.add_fault("error", method=METHOD, message=f"{sandbox.authorization_token} +7 (916) 123-45-67")
        text = json.dumps(run(trigger_on(request_hash)), ensure_ascii=False)
        assert "<number>" in text
        assert "123-45-67" not in text
        assert all(token not in text for token in sandbox.tokens_ever_issued)


class TestManyOnOneLoop:
    def test_they_share_one_client_and_rotate_once(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_seconds=4.0)
        hashes = [new_hash() for _ in range(4)]

        async def wait() -> tuple[list[dict[str, Any]], int]:
            polled = sandbox.count(METHOD)
            triggers = [trigger_on(hashes[index % 4], seconds=60, poll_interval=0.5) for index in range(200)]
            waiting = [asyncio.create_task(payload_of(one)) for one in triggers]
            await until(lambda: sandbox.count(METHOD) >= polled + 200)
            sandbox.expire_access()
            events = await asyncio.gather(*waiting)
            return events, len(async_process._clients[asyncio.get_running_loop()])

        events, clients = asyncio.run(wait())
        assert [event["status"] for event in events] == ["ready"] * 200
        assert [rotation.by for rotation in sandbox.rotations] == ["create", "refresh"]
        assert clients == 1

    def test_those_that_begin_together_read_the_connection_once(
        self, connected_sandbox: Connected, mocker: MockerFixture
    ) -> None:
        """Each reading is a request to Airflow's API server. Cancelling one trigger cancels it for no other."""
        connected_sandbox()
        request_hash = new_hash()
        reads = mocker.spy(async_process, "find_connection")

        async def wait() -> list[Any]:
            waiting = [asyncio.create_task(payload_of(trigger_on(request_hash))) for _ in range(10)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            return await asyncio.gather(*waiting, return_exceptions=True)

        cancelled, *events = asyncio.run(wait())
        assert isinstance(cancelled, asyncio.CancelledError)
        assert [event["status"] for event in events] == ["ready"] * 9
        assert reads.call_count == 1

    def test_one_that_begins_later_reads_the_connection_anew(
        self,
        connected_sandbox: Connected,
        connect: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        airflow_database: None,
    ) -> None:
        """It may have been made or edited since."""
        sandbox = connected_sandbox()
        request_hash = new_hash()

        async def wait() -> list[dict[str, Any]]:
            monkeypatch.delenv("AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT")
            events = await asyncio.gather(*(payload_of(trigger_on(request_hash)) for _ in range(3)))
            connect(sandbox)
            return [*events, await payload_of(trigger_on(request_hash))]

        *errors, event = asyncio.run(wait())
        assert [error["error"] for error in errors] == ["AlloincognitoSettingsError"] * 3
        assert event["status"] == "ready"

    def test_a_cancelled_trigger_stops_polling_and_others_go_on(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_seconds=1.0)
        request_hash = new_hash()

        async def wait() -> dict[str, Any]:
            stays = asyncio.create_task(payload_of(trigger_on(request_hash, poll_interval=0.2)))
            goes = [asyncio.create_task(payload_of(trigger_on(request_hash, poll_interval=0.01))) for _ in range(5)]
            await asyncio.sleep(0.3)
            for one in goes:
                one.cancel()
            await asyncio.wait(goes)
            sandbox.clear_log()
            return await stays

        assert asyncio.run(wait())["status"] == "ready"
        assert sandbox.count(METHOD) <= 7

    def test_others_go_on_when_the_trigger_that_rotates_is_cancelled(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox(pending_seconds=0.5, latency={"refresh": 0.3, "*": 0.0})
        request_hash = new_hash()

        async def wait() -> list[dict[str, Any]]:
            sandbox.expire_access()
            leader = asyncio.create_task(payload_of(trigger_on(request_hash)))
            await asyncio.sleep(0.15)
            others = [asyncio.create_task(payload_of(trigger_on(request_hash, seconds=30))) for _ in range(5)]
            await asyncio.sleep(0.05)
            leader.cancel()
            return await asyncio.gather(*others)

        assert {event["status"] for event in asyncio.run(wait())} == {"ready"}

    def test_a_stalled_response_does_not_block_the_loop(self, connected_sandbox: Connected) -> None:
        sandbox = connected_sandbox({"timeout": 1})
        request_hash = new_hash()
        sandbox.add_fault("stall", method=METHOD, after_bytes=0)

        async def wait() -> tuple[dict[str, Any], float]:
            waiting = asyncio.create_task(payload_of(trigger_on(request_hash)))
            longest, before = 0.0, time.monotonic()
            while not waiting.done():
                await asyncio.sleep(0.01)
                longest, before = max(longest, time.monotonic() - before), time.monotonic()
            return await waiting, longest

        event, longest = asyncio.run(wait())
        assert event["status"] == "ready"
        assert longest < 0.9


def always(envelope: Envelope) -> bool:
    return True


def never(envelope: Envelope) -> bool:
    return False


def faulty(envelope: Envelope) -> bool:
    raise ZeroDivisionError

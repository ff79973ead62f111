"""The trigger against a sandbox: how it waits, how it ends, what it says, and many of them on one loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from plain_server import RESULT_PATH, PlainServer, Said
from trigger_runs import asked_hash, payload_of, run, trigger_on

from airflow_provider_alloincognito.api.answer.envelope import Envelope
from airflow_provider_alloincognito.hooks import shared as async_process
from airflow_provider_alloincognito.sandbox import Sandbox
from airflow_provider_alloincognito.triggers.alloincognito import AlloincognitoRequestResultTrigger

METHOD = "getrequestresultbyhash"
NOBODYS_HASH = "bm9ib2R5cw=="

Connected = Callable[..., Sandbox]


def polls(sandbox: Sandbox) -> list[float]:
    """The moments at which the result was asked for."""
    return [one.time for one in sandbox.requests if one.method == METHOD]


class TestWaiting:
    @pytest.mark.parametrize(
        ("style", "extra"), [("202", {}), ("no_rowset", {}), ("error_code", {"pending_error_codes": "1100"})]
    )
    def test_it_polls_until_the_result_is_ready(self, style: str, extra: dict[str, Any], connected: Connected) -> None:
        sandbox = connected(extra, pending_polls=3, pending_style=style, always_awkward_hashes=True)
        request_hash = asked_hash()
        assert run(trigger_on(request_hash, request_hashes=[request_hash, None])) == {
            "status": "ready",
            "request_hash": request_hash,
            "request_hashes": [request_hash, None],
        }
        assert sandbox.count(METHOD) == 4
        assert sandbox.count("create") == 1

    def test_it_backs_off(self, connected: Connected) -> None:
        sandbox = connected(pending_polls=4)
        run(trigger_on(asked_hash(), poll_interval=0.1, poll_factor=2.0, poll_ceiling=0.4))
        moments = polls(sandbox)
        waits = [after - before for before, after in itertools.pairwise(moments)]
        for wait, wanted in zip(waits, (0.1, 0.2, 0.4, 0.4), strict=True):
            assert 0.89 * wanted < wait < 1.1 * wanted + 0.3

    def test_the_first_wait_and_no_other_takes_what_is_imported_from_the_collector(self, connected: Connected) -> None:
        connected()
        request_hash = asked_hash()
        async_process._spare_the_collector.cache_clear()
        gc.unfreeze()
        run(trigger_on(request_hash))
        spared, looked_at = gc.get_freeze_count(), len(gc.get_objects())
        assert spared > 5 * looked_at
        run(trigger_on(request_hash))
        assert gc.get_freeze_count() <= spared

    def test_retry_after_of_a_pending_answer(
        self, plain_server: Callable[..., PlainServer], connect: Callable[..., None]
    ) -> None:
        pending = Said(b"{}", 202, {"Retry-After": "1"})
        server = plain_server({RESULT_PATH: pending})
        connect(server.url, "an-authorization-token")
        started = time.monotonic()

        async def becomes_ready() -> dict[str, Any]:
            waiting = asyncio.create_task(payload_of(trigger_on("h==")))
            await asyncio.sleep(0.5)
            server.answers[RESULT_PATH] = Said(b'{"error": null, "result": {"rowset": []}}')
            return await waiting

        assert asyncio.run(becomes_ready())["status"] == "ready"
        assert time.monotonic() - started >= 1
        assert sum(path.startswith(RESULT_PATH) for path in server.paths) == 2

    def test_retry_after_of_a_busy_stand(self, connected: Connected) -> None:
        sandbox = connected()
        request_hash = asked_hash()
        sandbox.add_fault("status", method=METHOD, status=429, retry_after=1)
        assert run(trigger_on(request_hash))["status"] == "ready"
        first, second = polls(sandbox)
        assert second - first >= 1

    def test_the_deadline_is_absolute_and_kept_by_one_made_again(self, connected: Connected) -> None:
        sandbox = connected(pending_seconds=3600.0)
        deadline = time.time() + 1.0
        path, arguments = trigger_on(asked_hash(), deadline=deadline).serialize()
        assert path == f"{AlloincognitoRequestResultTrigger.__module__}.AlloincognitoRequestResultTrigger"
        time.sleep(0.6)
        again = AlloincognitoRequestResultTrigger(**json.loads(json.dumps(arguments)))
        assert run(again)["status"] == "timeout"
        assert abs(time.time() - deadline) < 0.5
        assert sandbox.count(METHOD) > 1

    def test_past_its_deadline_it_still_asks_once(self, connected: Connected) -> None:
        sandbox = connected()
        assert run(trigger_on(asked_hash(), seconds=-60))["status"] == "ready"
        sandbox.configure(pending_seconds=3600.0)
        assert run(trigger_on(asked_hash(), seconds=-60))["status"] == "timeout"
        assert sandbox.count(METHOD) == 2

    def test_a_check_of_the_users_own(self, connected: Connected) -> None:
        connected(pending_polls=2)
        request_hash = asked_hash()
        assert run(trigger_on(request_hash, ready_check=f"{__name__}.always"))["status"] == "ready"
        event = run(trigger_on(request_hash, ready_check=f"{__name__}.never", seconds=0.2))
        assert event["status"] == "timeout"

    def test_a_check_that_cannot_be_imported(self, connected: Connected) -> None:
        connected()
        event = run(trigger_on(asked_hash(), ready_check="nowhere.to_be_found"))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoSettingsError")

    def test_a_check_that_fails(self, connected: Connected) -> None:
        connected()
        with pytest.raises(ZeroDivisionError):
            run(trigger_on(asked_hash(), ready_check=f"{__name__}.faulty"))


class TestErrors:
    def test_a_token_that_is_not_accepted(self, connected: Connected, connect: Callable[..., None]) -> None:
        sandbox = connected()
        connect(sandbox.url, "not.a.token")
        event = run(trigger_on(NOBODYS_HASH))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoAuthError")
        assert "alloincognito_default" in event["message"]
        assert len(sandbox.requests) == 1

    def test_an_unknown_hash(self, connected: Connected) -> None:
        sandbox = connected()
        event = run(trigger_on(NOBODYS_HASH))
        assert (event["status"], event["error"]) == ("error", "AlloincognitoApiError")
        assert sandbox.count(METHOD) == 1

    def test_a_connection_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT", raising=False)
        with pytest.raises(Exception, match="nobody"):
            run(trigger_on(NOBODYS_HASH, alloincognito_conn_id="nobody"))

    def test_what_passes_is_waited_out(self, connected: Connected) -> None:
        sandbox = connected()
        request_hash = asked_hash()
        for fault in ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "status", "status": 502}):
            sandbox.add_fault(method=METHOD, **fault)
        assert run(trigger_on(request_hash))["status"] == "ready"
        assert sandbox.count(METHOD) == 4

    def test_an_answer_cut_off_is_asked_for_again(self, connected: Connected) -> None:
        sandbox = connected(pending_polls=1, pending_style="no_rowset")
        request_hash = asked_hash()
        sandbox.add_fault("cut", method=METHOD, after_bytes=20)
        assert run(trigger_on(request_hash))["status"] == "ready"

    def test_what_does_not_pass_ends_at_the_deadline_as_what_it_is(self, connected: Connected) -> None:
        sandbox = connected()
        request_hash = asked_hash()
        sandbox.add_fault("status", method=METHOD, status=503, times=None)
        event = run(trigger_on(request_hash, seconds=0.3))
        assert event["status"] == "error"
        assert "503" in event["message"]
        assert sandbox.count(METHOD) > 1

    def test_an_event_quotes_neither_number_nor_token(self, connected: Connected) -> None:
        sandbox = connected()
        request_hash = asked_hash()
        sandbox.add_fault("error", method=METHOD, message=f"{sandbox.authorization_token} +7 (916) 123-45-67")
        text = json.dumps(run(trigger_on(request_hash)), ensure_ascii=False)
        assert "<number>" in text
        assert "123-45-67" not in text
        assert all(token not in text for token in sandbox.tokens_ever_issued)


class TestManyOnOneLoop:
    def test_they_share_one_client_and_rotate_once(self, connected: Connected) -> None:
        sandbox = connected(pending_seconds=3.0)
        hashes = [asked_hash() for _ in range(4)]

        async def wait() -> tuple[list[dict[str, Any]], int]:
            triggers = [trigger_on(hashes[index % 4], seconds=60, poll_interval=0.5) for index in range(200)]
            waiting = [asyncio.create_task(payload_of(one)) for one in triggers]
            await asyncio.sleep(1.0)
            sandbox.expire_access()
            events = await asyncio.gather(*waiting)
            return events, len(async_process._clients[asyncio.get_running_loop()])

        events, clients = asyncio.run(wait())
        assert [event["status"] for event in events] == ["ready"] * 200
        assert [rotation.by for rotation in sandbox.rotations] == ["create", "refresh"]
        assert clients == 1

    def test_one_that_is_cancelled_stops_asking_and_harms_no_other(self, connected: Connected) -> None:
        sandbox = connected(pending_seconds=1.0)
        request_hash = asked_hash()

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

    def test_the_one_that_replaces_the_pair_is_cancelled(self, connected: Connected) -> None:
        sandbox = connected(pending_seconds=0.5, latency={"refresh": 0.3, "*": 0.0})
        request_hash = asked_hash()

        async def wait() -> list[dict[str, Any]]:
            sandbox.expire_access()
            leader = asyncio.create_task(payload_of(trigger_on(request_hash)))
            await asyncio.sleep(0.15)
            others = [asyncio.create_task(payload_of(trigger_on(request_hash, seconds=30))) for _ in range(5)]
            await asyncio.sleep(0.05)
            leader.cancel()
            return await asyncio.gather(*others)

        assert {event["status"] for event in asyncio.run(wait())} == {"ready"}

    def test_nothing_blocks_the_loop_while_the_stand_stands_still(self, connected: Connected) -> None:
        sandbox = connected({"timeout": 1})
        request_hash = asked_hash()
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
        assert longest < 0.5


def always(envelope: Envelope) -> bool:
    return True


def never(envelope: Envelope) -> bool:
    return False


def faulty(envelope: Envelope) -> bool:
    raise ZeroDivisionError

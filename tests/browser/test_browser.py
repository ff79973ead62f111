"""What a user does first: a Connection in the form, its Test, a run by hand for a period, and what it leaves behind."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from ui import Place

from airflow_provider_alloincognito.sandbox import Sandbox

MOSCOW = ZoneInfo("Europe/Moscow")
DAY, NEXT = datetime(2026, 3, 3, tzinfo=MOSCOW), datetime(2026, 3, 4, tzinfo=MOSCOW)
MAY_MAKE_A_PAIR = {"Token pair: Test may make a pair": "true"}

pytestmark = [pytest.mark.browser, pytest.mark.long]


def connection(sandbox: Sandbox, token: str | None = None) -> dict[str, str]:
    """Return what a user puts into the form."""
    port = str(urlsplit(sandbox.url).port)
    return {"Host": sandbox.url, "Port": port, "Authorization token": token or sandbox.authorization_token}


def test_the_test_button(place: Place) -> None:
    ui, sandbox = place.ui, place.sandbox
    ui.fill_in_connection("alloincognito_default", connection(sandbox))
    ui.picture("connection-form", height=1000)
    text = ui.save_and_test("alloincognito_default", "connection-test")
    assert text.startswith("Warning: The authorization token was not tried")
    assert f"OK: The server {sandbox.url} responds." in text

    with Sandbox(calls_per_day=1) as gone:
        fields = connection(gone)
    ui.fill_in_connection("server_down", fields)
    text = ui.save_and_test("server_down", "connection-test-down")
    assert text.startswith("Failed: GET /docs: No response from")
    assert "connection refused" in text

    ui.fill_in_connection("no_token", connection(sandbox, "what I copied"))
    text = ui.save_and_test("no_token", "connection-test-no-token")
    assert text.startswith("Failed: The Connection's password contains a space")

    ui.fill_in_connection("wrong_token", {**connection(sandbox, "a.wrong.token"), **MAY_MAKE_A_PAIR})
    text = ui.save_and_test("wrong_token", "connection-test-wrong-token")
    if ui.generation == "2":
        assert text.startswith("Failed: AlloIncognito does not accept the authorization token.")
    else:  # whose API server cannot save a pair
        assert text.startswith("Warning: The authorization token was not tried: a new token pair could not be stored")
    assert sandbox.rotations == []


def test_a_run_by_hand(place: Place) -> None:
    ui, sandbox = place.ui, place.sandbox
    ui.fill_in_period("calls", "2026-03-02 21:00", "2026-03-03 21:00")  # a day in Moscow
    ui.picture("trigger")
    ui.trigger()
    ui.wait_until_green("calls")
    ui.picture("grid")
    landed = (place.airflow.home / "calls" / "2026-03-03.jsonl").read_bytes()
    assert landed.count(b"\n") == len(sandbox.truth(DAY, NEXT))

    log = ui.log_of("calls", "calls")
    ui.picture("log")
    assert "AlloIncognito" in log
    numbers = {number[-10:] for number in sandbox.phone_numbers(DAY, NEXT)}
    assert not [number for number in numbers if number in log]

    event = "".join(ui.asset_page("alloincognito://calls/calls").split())  # long values are wrapped
    ui.picture("asset")
    assert "calls/2026-03-03.jsonl" in event
    assert not [number for number in numbers if number in event]

    assert ui.follow_link("calls", "calls", "API documentation") == f"{sandbox.url}/docs"

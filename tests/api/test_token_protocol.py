"""
Many simulated processes share one pair: tests of ``replacement.py``, ``state.py``, ``auth_flow.py`` in ``api/tokens``.

``ALLOINCOGNITO_TOKEN_SEEDS=200 pytest tests/api/test_token_protocol.py`` runs 200 interleavings of every plan and 5,000
random plans, instead of the few that a quick run has time for.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from token_simulation import FORBIDDEN, Plan, World

from airflow_provider_alloincognito.api.tokens.auth_flow import MAX_REPLAYS
from airflow_provider_alloincognito.api.tokens.replacement import ClaimedReplacement
from airflow_provider_alloincognito.api.tokens.state import Timing
from airflow_provider_alloincognito.api.tokens.steps import Flow
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoRotationError,
    AlloincognitoTokenStoreError,
)

SEEDS = int(os.environ.get("ALLOINCOGNITO_TOKEN_SEEDS", "3"))
LONGEST_WAIT = 30.0
MAX_ROTATIONS = 1.5

HOUR = Plan(clients=16, lifetime=3600, refresh_lifetime=7200, seconds=60)
PLANS = {
    "one": Plan(clients=1),
    "few": Plan(clients=8),
    "many": Plan(clients=64, seconds=30),
    "fast store": Plan(clients=32, store_latency=0.05, seconds=30),
    "slow store": Plan(clients=32, store_latency=0.5, lifetime=10, seconds=100),
    "long life": Plan(clients=32, store_latency=0.5, lifetime=60, refresh_lifetime=120, seconds=180, pause_up_to=3),
    "rare requests": Plan(clients=8, pause_up_to=4),
    "correct clocks": Plan(clients=16, clock_error=0),
    "nearly correct clocks": Plan(clients=16, clock_error=6, lifetime=5),
    "no Date": Plan(clients=16, sends_date=False),
    "no Date, short refresh": Plan(clients=8, sends_date=False, refresh_lifetime=3.2),
    "kills": Plan(clients=16, kills_every=1),
    "kills of new processes with wrong clocks": replace(HOUR, kills_every=1, lifetime=60, seconds=240),
    "kills without a Date": replace(HOUR, kills_every=1, sends_date=False),
    "stopped processes": Plan(clients=16, stops_every=1, lifetime=10),
    "slow calls": Plan(clients=16, slow_share=0.01),
    "slow calls, many starting with an empty store": Plan(
        clients=64, slow_share=0.05, lifetime=1000, seconds=5, store_latency=0.3, server_latency=0.3
    ),
    "another program": Plan(clients=16, other_program_every=20),
    "403": Plan(clients=16, rejection="403", kills_every=2),
    "403, starting with an empty store": replace(HOUR, rejection="403", start_within=1, seconds=5, kills_every=0.5),
    "error in a 200": Plan(clients=16, rejection="envelope"),
    "no early refresh": Plan(clients=16, early_refresh=False),
    "no early refresh, 403": Plan(clients=16, early_refresh=False, rejection="403", kills_every=2),
    "expiry in Moscow time": Plan(clients=16, expiry="moscow"),
    "expiry as epoch": Plan(clients=16, expiry="epoch"),
    "unreadable expiry": Plan(clients=16, expiry="unreadable", kills_every=2),
    "threads": Plan(clients=4, flows=8),
    "cancelled": Plan(clients=4, flows=8, cancels_every=0.2),
    "lock": Plan(clients=32, locking=True, seconds=30),
    "lock, kills": Plan(clients=16, locking=True, kills_every=1),
    "lock, stopped processes": Plan(clients=16, locking=True, stops_every=1, lifetime=10),
    "lock, cancelled": Plan(clients=4, flows=8, locking=True, cancels_every=0.2),
    "lock, another program": Plan(clients=16, locking=True, other_program_every=20),
    "lock, no early refresh": Plan(clients=16, locking=True, early_refresh=False),
}


def runs(plan: Plan, seeds: int = SEEDS) -> Iterator[World]:
    return (World(plan, seed).run() for seed in range(seeds))


def check_bounds(world: World) -> None:
    """Check what holds in every run, whatever happens in it."""
    assert not world.unjustified
    assert max(outcome.replays for outcome in world.outcomes) <= MAX_REPLAYS
    assert all(outcome.wait <= LONGEST_WAIT for outcome in world.outcomes if outcome.error is None)
    timing = Timing(world.plan.store_latency, world.plan.server_latency)
    assert world.waits()[-1] <= LONGEST_WAIT + timing.lease, "an error came late"


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_every_request_succeeds_with_few_rotations(plan: Plan) -> None:
    for world in runs(plan):
        check_bounds(world)
        assert not world.failures
        assert world.rotations <= 1 + MAX_ROTATIONS * (plan.seconds / plan.lifetime + world.lost + world.foreign)


@pytest.mark.parametrize("latency", [0.05, 0.15])
def test_rotations_stay_within_the_documented_bound(latency: float) -> None:
    for world in runs(Plan(clients=32, store_latency=latency)):
        assert world.rotations_per_cause <= MAX_ROTATIONS


@pytest.mark.parametrize("locking", [False, True])
def test_a_lost_pair_is_replaced_within_the_documented_time(locking: bool) -> None:
    plan = Plan(clients=16, lifetime=20, refresh_lifetime=80, lost_pairs=(1, 3, 5), locking=locking)
    timing = Timing(plan.store_latency, plan.server_latency)
    for world in runs(plan, 5 * SEEDS):
        check_bounds(world)
        assert not world.failures
        assert world.lost == 3
        for lost, successor in itertools.pairwise(world.server.made):
            if not lost.saved:
                # It is missed only when the next request is sent.
                longest = timing.lease + 8 * timing.store_call + 3 * timing.token_call
                assert successor.at - lost.at <= plan.pause_up_to + longest


class TestNewAuthorizationToken:
    @pytest.mark.parametrize(
        "plan",
        [
            Plan(clients=64, new_token_at=10, seconds=20),
            Plan(clients=16, flows=4, new_token_at=10, seconds=20, rejection="envelope"),
            replace(HOUR, new_token_at=100, seconds=140, rejection="403"),
            replace(HOUR, clients=64, new_token_at=10, store_latency=1, server_latency=3),
            Plan(clients=8, locking=True, new_token_at=10, seconds=20),
        ],
        ids=["many", "threads", "403", "default bounds", "lock"],
    )
    def test_every_later_request_fails_with_an_authorization_error(self, plan: Plan) -> None:
        assert plan.new_token_at is not None
        for world in runs(plan):
            check_bounds(world)
            late = [outcome for outcome in world.outcomes if outcome.began > plan.new_token_at]
            assert late
            assert all(isinstance(outcome.error, AlloincognitoAuthError) for outcome in late)

    def test_an_old_note_that_the_token_was_refused_is_ignored(self) -> None:
        """The server may have refused it once by mistake."""
        world = World(replace(HOUR, clients=1), 0)
        pair = world.store_a_pair(age=100)
        world.other_program()
        world.store.claims[pair.id] = "refused-0123456789abcdef"
        assert not world.run().failures


class TestUnreachableStore:
    @pytest.mark.parametrize("locking", [False, True])
    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_requests_go_on_with_the_pair_in_use(self, reads: Any, locking: bool) -> None:
        plan = replace(HOUR, outages=((10, 50),), outage_reads=reads, locking=locking)
        for world in runs(plan):
            assert not world.failures
            assert world.rotations == 1

    @pytest.mark.parametrize("locking", [False, True])
    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_no_pair_is_made_while_none_can_be_saved(self, reads: Any, locking: bool) -> None:
        plan = Plan(lifetime=20, refresh_lifetime=80, outages=((10, 60),), outage_reads=reads, locking=locking)
        for world in runs(replace(plan, seconds=80)):
            check_bounds(world)
            assert world.creates == 1
            assert not [made for made in world.server.made if 10 < made.at < 60]
            assert any(isinstance(outcome.error, AlloincognitoTokenStoreError) for outcome in world.failures)
            assert not [outcome for outcome in world.failures if outcome.began > 60]

    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_new_processes_wait_for_the_store(self, reads: Any) -> None:
        plan = replace(HOUR, clients=4, outages=((5, 15),), outage_reads=reads, kills_every=0.5, seconds=30)
        for world in runs(plan):
            check_bounds(world)
            assert not world.failures
            assert world.rotations == 1 + world.lost


class TestMissingRight:
    @pytest.mark.parametrize("rejection", ["401", "403"])
    def test_a_method_without_right_is_an_error_and_causes_few_rotations(self, rejection: Any) -> None:
        plan = replace(HOUR, clients=8, seconds=180, forbidden=0.2, rejection=rejection)
        for world in runs(plan):
            check_bounds(world)
            refused = [outcome for outcome in world.outcomes if outcome.method == FORBIDDEN]
            assert all(isinstance(outcome.error, AlloincognitoApiError) for outcome in refused)
            assert len(world.failures) == len(refused)
            assert world.creates == 1
            assert world.rotations <= 1 + plan.seconds / 60

    def test_a_pair_invalidated_by_another_program_is_seldom_taken_for_a_missing_right(self) -> None:
        """Only if the other program invalidates two pairs within one request."""
        for world in runs(replace(HOUR, clients=8, other_program_every=20, rejection="403", seconds=180)):
            check_bounds(world)
            assert len(world.failures) <= world.foreign
            assert len(world.failures) < len(world.outcomes) / 100


class TestAnotherProgram:
    def test_one_that_makes_pairs_all_the_time_is_named_in_the_error(self) -> None:
        worlds = list(runs(Plan(clients=16, other_program_every=0.05, seconds=20)))
        errors = {type(outcome.error) for world in worlds for outcome in world.failures}
        assert errors == {AlloincognitoRotationError}

    def test_a_warning_comes_after_three_early_losses(self, caplog: pytest.LogCaptureFixture) -> None:
        World(replace(HOUR, other_program_every=20), 1).run()
        assert "within an hour" in caplog.text

    @pytest.mark.parametrize(
        "plan",
        [Plan(), Plan(lifetime=20, kills_every=2), Plan(sends_date=False, clock_error=0), Plan(early_refresh=False)],
        ids=["usual", "kills", "no Date", "no early refresh"],
    )
    def test_no_warning_comes_if_pairs_end_as_they_should(self, plan: Plan, caplog: pytest.LogCaptureFixture) -> None:
        World(plan, 1).run()
        assert "within an hour" not in caplog.text


class TestPlantedFaults:
    """Without a precaution of the protocol, the simulation finds the fault that it prevents."""

    slow_server = Plan(clients=32, lifetime=20, refresh_lifetime=80, seconds=80, store_latency=0.05, server_latency=1)
    empty_store = Plan(clients=8, lifetime=1000, seconds=5, store_latency=0.3, server_latency=0.3)

    def creates(self, plan: Plan, seeds: int = 10) -> int:
        return max(world.creates for world in runs(plan, seeds))  # runs with the same seed are equal

    def test_no_wait_for_the_winner_before_create(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = replace(self.slow_server, pause_up_to=0.2)
        assert self.creates(plan) == 1

        def no_wait(self: ClaimedReplacement) -> Flow:
            return None
            yield

        monkeypatch.setattr(ClaimedReplacement, "_wait_for_winner", no_wait)
        assert self.creates(plan) > 2

    def test_a_wait_shorter_than_a_write(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every claim is found to be too late, so no pair is made at all."""
        assert not any(world.unjustified for world in runs(self.empty_store, 10))
        monkeypatch.setattr(Timing, "claim_wait", property(lambda timing: timing.store_call / 10))
        assert any(world.unjustified for world in runs(self.empty_store, 10))

    def test_a_short_wait_and_no_check_for_late_claims(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = replace(self.empty_store, slow_share=0.1)
        assert self.creates(plan, 20) == 1

        class NeverLate(ClaimedReplacement):
            def _write_claim(self, began: float) -> Flow:
                return (yield from super()._write_claim(float("inf")))

        monkeypatch.setattr("airflow_provider_alloincognito.api.tokens.auth_flow.ClaimedReplacement", NeverLate)
        monkeypatch.setattr(Timing, "claim_wait", property(lambda timing: timing.store_call / 10))
        assert self.creates(plan, 20) > 1


plans = st.builds(
    Plan,
    clients=st.integers(1, 12),
    flows=st.integers(1, 3),
    seconds=st.just(30.0),
    pause_up_to=st.sampled_from([0.1, 0.5, 3.0]),
    start_within=st.sampled_from([0.0, 10.0]),
    lifetime=st.sampled_from([3.0, 10.0, 60.0, 3600.0]),
    refresh_lifetime=st.sampled_from([4000.0, 10000.0]),
    store_latency=st.sampled_from([0.01, 0.05, 0.15]),
    server_latency=st.sampled_from([0.05, 0.15, 0.5]),
    slow_share=st.sampled_from([0.0, 0.01]),
    clock_error=st.sampled_from([0.0, 6.0, 600.0]),
    locking=st.booleans(),
    kills_every=st.sampled_from([None, 1.0]),
    stops_every=st.sampled_from([None, 3.0]),
    cancels_every=st.sampled_from([None, 1.0]),
    other_program_every=st.sampled_from([None, 15.0]),
    outages=st.sampled_from([(), ((10.0, 15.0),)]),
    outage_reads=st.sampled_from(["raise", "none"]),
    rejection=st.sampled_from(["401", "envelope"]),
    early_refresh=st.booleans(),
    expiry=st.sampled_from(["iso", "moscow", "epoch", "unreadable"]),
    sends_date=st.booleans(),
)


@given(plan=plans, seed=st.integers(0, 1000))
@settings(max_examples=25 * SEEDS, deadline=None, derandomize=SEEDS <= 3)
def test_random_plans(plan: Plan, seed: int) -> None:
    world = World(plan, seed).run()
    assert not world.unjustified
    assert all(outcome.replays <= MAX_REPLAYS for outcome in world.outcomes)

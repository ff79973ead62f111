"""
The token protocol in simulated worlds: many clients, one pair, everything late.

``ALLOINCOGNITO_TOKEN_SEEDS=200 pytest tests/api/test_token_protocol.py`` explores so many interleavings of every plan,
and as many hundreds of random plans, instead of the few that a quick run has time for.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import logging
import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from token_simulation import AUTHORIZATION, FORBIDDEN, Plan, SimulatedAnswer, World

from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.keeper import MOST_REPLAYS, PairKeeper
from airflow_provider_alloincognito.api.tokens.replacement import Replacement
from airflow_provider_alloincognito.api.tokens.steps import Timing
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoRotationError,
    AlloincognitoTokenStoreError,
)

SEEDS = int(os.environ.get("ALLOINCOGNITO_TOKEN_SEEDS", "3"))
LONGEST_WAIT = 30.0
MOST_ROTATIONS = 1.5

Flow = Generator[Any, Any, Any]

HOUR = Plan(clients=16, lifetime=3600, refresh_lifetime=7200, seconds=60)
PLANS = {
    "alone": Plan(clients=1),
    "few": Plan(clients=8),
    "many": Plan(clients=64, seconds=30),
    "fast store": Plan(clients=32, store_latency=0.05, seconds=30),
    "slow store": Plan(clients=32, store_latency=0.5, lifetime=10, seconds=100),
    "long life": Plan(clients=32, store_latency=0.5, lifetime=60, refresh_lifetime=120, seconds=180, think=3),
    "rare requests": Plan(clients=8, think=4),
    "right clocks": Plan(clients=16, clock_error=0),
    "nearly right clocks": Plan(clients=16, clock_error=6, lifetime=5),
    "no Date": Plan(clients=16, dates=False),
    "no Date, short refresh": Plan(clients=8, dates=False, refresh_lifetime=3.2),
    "kills": Plan(clients=16, kills_every=1),
    "kills of newcomers with wrong clocks": replace(HOUR, kills_every=1, lifetime=60, seconds=240),
    "kills without a Date": replace(HOUR, kills_every=1, dates=False),
    "pauses": Plan(clients=16, pauses_every=1, lifetime=10),
    "slow calls": Plan(clients=16, tail=0.01),
    "slow calls, many starting from nothing": Plan(
        clients=64, tail=0.05, lifetime=1000, seconds=5, store_latency=0.3, server_latency=0.3
    ),
    "strangers": Plan(clients=16, strangers_every=20),
    "403": Plan(clients=16, rejection="403", kills_every=2),
    "403, starting from nothing": replace(HOUR, rejection="403", start_within=1, seconds=5, kills_every=0.5),
    "error in a 200": Plan(clients=16, rejection="envelope"),
    "no early refresh": Plan(clients=16, early_refresh=False),
    "no early refresh, 403": Plan(clients=16, early_refresh=False, rejection="403", kills_every=2),
    "Moscow's time": Plan(clients=16, expiry="moscow"),
    "epoch": Plan(clients=16, expiry="epoch"),
    "unreadable expiry": Plan(clients=16, expiry="unreadable", kills_every=2),
    "threads": Plan(clients=4, flows=8),
    "cancelled": Plan(clients=4, flows=8, cancels_every=0.2),
    "lock": Plan(clients=32, exclusive=True, seconds=30),
    "lock, kills": Plan(clients=16, exclusive=True, kills_every=1),
    "lock, pauses": Plan(clients=16, exclusive=True, pauses_every=1, lifetime=10),
    "lock, cancelled": Plan(clients=4, flows=8, exclusive=True, cancels_every=0.2),
    "lock, strangers": Plan(clients=16, exclusive=True, strangers_every=20),
    "lock, no early refresh": Plan(clients=16, exclusive=True, early_refresh=False),
}


def runs(plan: Plan, seeds: int = SEEDS) -> Iterator[World]:
    return (World(plan, seed).run() for seed in range(seeds))


def check_bounds(world: World) -> None:
    """What holds in every world, whatever happens in it."""
    assert not world.untrue
    assert max(outcome.replays for outcome in world.outcomes) <= MOST_REPLAYS
    assert all(outcome.wait <= LONGEST_WAIT for outcome in world.outcomes if outcome.error is None)
    timing = Timing(world.plan.store_latency, world.plan.server_latency)
    assert world.waits()[-1] <= LONGEST_WAIT + timing.lease, "an error came late"


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_every_request_is_answered_and_rotations_are_few(plan: Plan) -> None:
    for world in runs(plan):
        check_bounds(world)
        assert not world.failures
        assert world.rotations <= 1 + MOST_ROTATIONS * (plan.seconds / plan.lifetime + world.lost + world.foreign)


@pytest.mark.parametrize("latency", [0.05, 0.15])
def test_a_fair_stress_keeps_within_the_stated_bound(latency: float) -> None:
    for world in runs(Plan(clients=32, store_latency=latency)):
        assert world.rotations_per_cause <= MOST_ROTATIONS


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_lost_pair_is_replaced_in_time(exclusive: bool) -> None:
    plan = Plan(clients=16, lifetime=20, refresh_lifetime=80, lost_pairs=(1, 3, 5), exclusive=exclusive)
    timing = Timing(plan.store_latency, plan.server_latency)
    for world in runs(plan, 5 * SEEDS):
        check_bounds(world)
        assert not world.failures
        assert world.lost == 3
        for lost, successor in itertools.pairwise(world.server.made):
            if not lost.saved:
                # It is missed when the next request is sent.
                assert successor.at - lost.at <= plan.think + timing.lease + 8 * timing.store + 3 * timing.server


class TestAuthorizationTokenRemade:
    @pytest.mark.parametrize(
        "plan",
        [
            Plan(clients=64, remade_at=10, seconds=20),
            Plan(clients=16, flows=4, remade_at=10, seconds=20, rejection="envelope"),
            replace(HOUR, remade_at=100, seconds=140, rejection="403"),
            replace(HOUR, clients=64, remade_at=10, store_latency=1, server_latency=3),
            Plan(clients=8, exclusive=True, remade_at=10, seconds=20),
        ],
        ids=["many", "threads", "403", "production's bounds", "lock"],
    )
    def test_every_request_ends_in_an_error_that_says_so(self, plan: Plan) -> None:
        assert plan.remade_at is not None
        for world in runs(plan):
            check_bounds(world)
            late = [outcome for outcome in world.outcomes if outcome.began > plan.remade_at]
            assert late
            assert all(isinstance(outcome.error, AlloincognitoAuthError) for outcome in late)

    def test_an_old_refusal_is_not_believed_for_ever(self) -> None:
        """A stand that refused by mistake, once, must not be given up."""
        world = World(replace(HOUR, clients=1), 0)
        pair = world.store_a_pair(age=100)
        world.stranger()
        world.store.claims[pair.id] = "refused-0123456789abcdef"
        assert not world.run().failures


class TestStoreOutOfReach:
    @pytest.mark.parametrize("exclusive", [False, True])
    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_requests_go_on_with_the_pair_in_hand(self, reads: Any, exclusive: bool) -> None:
        plan = replace(HOUR, outages=((10, 50),), outage_reads=reads, exclusive=exclusive)
        for world in runs(plan):
            assert not world.failures
            assert world.rotations == 1

    @pytest.mark.parametrize("exclusive", [False, True])
    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_no_pair_is_made_that_cannot_be_saved(self, reads: Any, exclusive: bool) -> None:
        plan = Plan(lifetime=20, refresh_lifetime=80, outages=((10, 60),), outage_reads=reads, exclusive=exclusive)
        for world in runs(replace(plan, seconds=80)):
            check_bounds(world)
            assert world.creates == 1
            assert not [made for made in world.server.made if 10 < made.at < 60]
            assert any(isinstance(outcome.error, AlloincognitoTokenStoreError) for outcome in world.failures)
            assert not [outcome for outcome in world.failures if outcome.began > 60]

    @pytest.mark.parametrize("reads", ["raise", "none"])
    def test_newcomers_wait_for_it(self, reads: Any) -> None:
        plan = replace(HOUR, clients=4, outages=((5, 15),), outage_reads=reads, kills_every=0.5, seconds=30)
        for world in runs(plan):
            check_bounds(world)
            assert not world.failures
            assert world.rotations == 1 + world.lost


class TestNoRight:
    @pytest.mark.parametrize("rejection", ["401", "403"])
    def test_is_an_error_and_no_storm(self, rejection: Any) -> None:
        plan = replace(HOUR, clients=8, seconds=180, forbidden=0.2, rejection=rejection)
        for world in runs(plan):
            check_bounds(world)
            refused = [outcome for outcome in world.outcomes if outcome.method == FORBIDDEN]
            assert all(isinstance(outcome.error, AlloincognitoApiError) for outcome in refused)
            assert len(world.failures) == len(refused)
            assert world.creates == 1
            assert world.rotations <= 1 + plan.seconds / 60

    def test_is_hardly_ever_what_a_stranger_is_taken_for(self) -> None:
        """Only the second of two that kill pairs within one request can be."""
        for world in runs(replace(HOUR, clients=8, strangers_every=20, rejection="403", seconds=180)):
            check_bounds(world)
            assert len(world.failures) <= world.foreign
            assert len(world.failures) < len(world.outcomes) / 100


class TestStrangers:
    def test_that_rotate_all_the_time_are_named(self) -> None:
        worlds = list(runs(Plan(clients=16, strangers_every=0.05, seconds=20)))
        errors = {type(outcome.error) for world in worlds for outcome in world.failures}
        assert errors == {AlloincognitoRotationError}

    def test_are_warned_about_after_three_losses(self, caplog: pytest.LogCaptureFixture) -> None:
        World(replace(HOUR, strangers_every=20), 1).run()
        assert "within an hour" in caplog.text

    @pytest.mark.parametrize(
        "plan",
        [Plan(), Plan(lifetime=20, kills_every=2), Plan(dates=False, clock_error=0), Plan(early_refresh=False)],
        ids=["usual", "kills", "no Date", "no early refresh"],
    )
    def test_are_not_suspected_when_pairs_end_as_they_should(
        self, plan: Plan, caplog: pytest.LogCaptureFixture
    ) -> None:
        World(plan, 1).run()
        assert "within an hour" not in caplog.text


class TestWhatASimplerProtocolWouldDo:
    """The simulator finds the faults that the protocol's precautions are there for."""

    slow_server = Plan(clients=32, lifetime=20, refresh_lifetime=80, seconds=80, store_latency=0.05, server_latency=1)
    from_nothing = Plan(clients=8, lifetime=1000, seconds=5, store_latency=0.3, server_latency=0.3)

    def creates(self, plan: Plan, seeds: int = 10) -> int:
        return max(world.creates for world in runs(plan, seeds))  # with a seed, a run is the same every time

    def test_without_the_last_look_before_create(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = replace(self.slow_server, think=0.2)
        assert self.creates(plan) == 1

        def no_look(self: Replacement) -> Flow:
            return None
            yield

        monkeypatch.setattr(Replacement, "_last_look", no_look)
        assert self.creates(plan) > 2

    def test_with_a_wait_shorter_than_a_write_takes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its own measure of how late it is keeps it from doing harm, and from getting anywhere."""
        assert not any(world.untrue for world in runs(self.from_nothing, 10))
        monkeypatch.setattr(Timing, "claim_wait", property(lambda timing: timing.store / 10))
        assert any(world.untrue for world in runs(self.from_nothing, 10))

    def test_with_a_short_wait_and_no_eye_for_lateness(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = replace(self.from_nothing, tail=0.1)
        assert self.creates(plan, 20) == 1

        class PunctualInItsOwnEyes(Replacement):
            def _write_claim(self, began: float) -> Flow:
                return (yield from super()._write_claim(float("inf")))

        monkeypatch.setattr("airflow_provider_alloincognito.api.tokens.keeper.Replacement", PunctualInItsOwnEyes)
        monkeypatch.setattr(Timing, "claim_wait", property(lambda timing: timing.store / 10))
        assert self.creates(plan, 20) > 1


plans = st.builds(
    Plan,
    clients=st.integers(1, 12),
    flows=st.integers(1, 3),
    seconds=st.just(30.0),
    think=st.sampled_from([0.1, 0.5, 3.0]),
    start_within=st.sampled_from([0.0, 10.0]),
    lifetime=st.sampled_from([3.0, 10.0, 60.0, 3600.0]),
    refresh_lifetime=st.sampled_from([4000.0, 10000.0]),
    store_latency=st.sampled_from([0.01, 0.05, 0.15]),
    server_latency=st.sampled_from([0.05, 0.15, 0.5]),
    tail=st.sampled_from([0.0, 0.01]),
    clock_error=st.sampled_from([0.0, 6.0, 600.0]),
    exclusive=st.booleans(),
    kills_every=st.sampled_from([None, 1.0]),
    pauses_every=st.sampled_from([None, 3.0]),
    cancels_every=st.sampled_from([None, 1.0]),
    strangers_every=st.sampled_from([None, 15.0]),
    outages=st.sampled_from([(), ((10.0, 15.0),)]),
    outage_reads=st.sampled_from(["raise", "none"]),
    rejection=st.sampled_from(["401", "envelope"]),
    early_refresh=st.booleans(),
    expiry=st.sampled_from(["iso", "moscow", "epoch", "unreadable"]),
    dates=st.booleans(),
)


@given(plan=plans, seed=st.integers(0, 1000))
@settings(max_examples=25 * SEEDS, deadline=None, derandomize=SEEDS <= 3)
def test_everything_at_once(plan: Plan, seed: int) -> None:
    world = World(plan, seed).run()
    assert not world.untrue
    assert all(outcome.replays <= MOST_REPLAYS for outcome in world.outcomes)


class TestOneProcess:
    """What single requests lead to."""

    def run(self, age: float | None, *, seconds: float = 1e-9, **plan: Any) -> World:
        defaults: dict[str, Any] = {"clients": 1, "lifetime": 100, "refresh_lifetime": 200, "store_latency": 0.02}
        world = World(Plan(**{**defaults, "seconds": seconds, **plan}), 0)
        if age is not None:
            world.store_a_pair(age)
        world.run()
        assert not world.failures
        return world

    def made(self, world: World) -> list[str]:
        return [made.how for made in world.server.made if made.by is not None]

    @pytest.mark.parametrize("exclusive", [False, True])
    @pytest.mark.parametrize(
        ("age", "made"),
        [(None, ["create"]), (10, []), (150, ["refresh"]), (250, ["create"])],
        ids=["no pair", "living", "ended", "both tokens ended"],
    )
    def test_the_first_request(self, age: float | None, made: list[str], exclusive: bool) -> None:
        assert self.made(self.run(age, exclusive=exclusive)) == made

    @pytest.mark.parametrize("exclusive", [False, True])
    def test_an_ageing_pair_is_renewed_once_and_before_its_end(self, exclusive: bool) -> None:
        world = self.run(92, seconds=5, exclusive=exclusive)
        assert self.made(world) == ["refresh"]
        assert max(outcome.replays for outcome in world.outcomes) == 0

    def test_a_refused_renewal_is_no_death(self) -> None:
        world = self.run(92, seconds=7, early_refresh=False)
        assert self.made(world) == []
        assert world.server.calls["refresh"] == 1

    def test_after_a_refused_renewal_there_is_one_refresh_after_the_end(self) -> None:
        world = self.run(92, seconds=20, early_refresh=False)
        assert self.made(world) == ["refresh"]
        assert world.server.calls["refresh"] == 2

    @pytest.mark.parametrize("clock_error", [0.0, 600.0])
    @pytest.mark.parametrize("dates", [True, False])
    def test_a_newcomer_with_a_wrong_clock_leaves_a_living_pair_alone(self, dates: bool, clock_error: float) -> None:
        for seed in range(8):
            world = World(Plan(clients=1, lifetime=100, seconds=3, dates=dates, clock_error=clock_error), seed)
            world.store_a_pair(age=10)
            assert self.made(world.run()) == []

    def test_claims_are_removed(self) -> None:
        assert self.run(150).store.claims == {}


class TestSharingInOneProcess:
    request = ApiRequest("getcalllist", "GET", "https://stand.example/x")

    def keeper(self, exclusive: bool) -> PairKeeper:
        return PairKeeper(Plan().stand(), AUTHORIZATION, exclusive=exclusive)

    @pytest.mark.parametrize("exclusive", [False, True])
    def test_a_leader_that_is_cancelled_lets_the_others_go_on(self, exclusive: bool) -> None:
        keeper = self.keeper(exclusive)
        leader, follower = keeper.authorised(self.request), keeper.authorised(self.request)
        assert next(leader) == steps.Load()
        join = next(follower)
        assert isinstance(join, steps.Join)
        leader.close()
        assert concurrent.futures.wait([join.flight], 0.0).done
        assert follower.send(None) == steps.Load()

    def test_a_refused_authorization_token_is_told_to_all(self) -> None:
        keeper = self.keeper(exclusive=True)
        leader, follower = keeper.authorised(self.request), keeper.authorised(self.request)
        next(leader)
        next(follower)
        step = leader.send(None)
        while not isinstance(step, steps.Send):
            step = leader.send(None)
        assert leader.send(SimulatedAnswer(401, None)) == steps.Unlock()
        with pytest.raises(AlloincognitoAuthError):
            leader.send(None)
        with pytest.raises(AlloincognitoAuthError):
            follower.send(None)

    def test_a_lock_that_ran_out_is_taken_again(self) -> None:
        """And nothing is created meanwhile: somebody else may be at it."""
        keeper = self.keeper(exclusive=True)
        flow = keeper.authorised(self.request)
        step = next(flow)
        while not isinstance(step, steps.Extend):
            step = flow.send(None)
        assert flow.throw(AlloincognitoTokenStoreError("lost")) == steps.Unlock()
        seen = [type(flow.send(None)) for _ in range(3)]
        assert seen == [steps.Sleep, steps.Load, steps.Lock]

    def test_no_token_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        world = World(Plan(strangers_every=5, kills_every=5), 0).run()
        assert "was rejected" in caplog.text
        assert AUTHORIZATION not in caplog.text
        assert not [made for made in world.server.made if made.access in caplog.text or made.renewal in caplog.text]

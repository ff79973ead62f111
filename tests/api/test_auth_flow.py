"""What a request does with the pair, and how the threads of one process share it."""

from __future__ import annotations

import concurrent.futures
import logging
from typing import Any

import pytest
from token_simulation import AUTHORIZATION, Plan, SimulatedAnswer, World

from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.errors import AlloincognitoAuthError, AlloincognitoTokenStoreError


class TestOneProcess:
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

    @pytest.mark.parametrize("locking", [False, True])
    @pytest.mark.parametrize(
        ("age", "made"),
        [(None, ["create"]), (10, []), (150, ["refresh"]), (250, ["create"])],
        ids=["no pair", "valid", "ended", "both tokens ended"],
    )
    def test_a_pair_is_made_only_if_needed(self, age: float | None, made: list[str], locking: bool) -> None:
        assert self.made(self.run(age, locking=locking)) == made

    @pytest.mark.parametrize("locking", [False, True])
    def test_a_pair_is_renewed_once_and_before_its_end(self, locking: bool) -> None:
        world = self.run(92, seconds=5, locking=locking)
        assert self.made(world) == ["refresh"]
        assert max(outcome.replays for outcome in world.outcomes) == 0

    def test_a_pair_stays_in_use_if_its_early_renewal_is_refused(self) -> None:
        world = self.run(92, seconds=7, early_refresh=False)
        assert self.made(world) == []
        assert world.server.calls["refresh"] == 1

    def test_after_a_refused_early_renewal_the_pair_is_refreshed_once_after_its_end(self) -> None:
        world = self.run(92, seconds=20, early_refresh=False)
        assert self.made(world) == ["refresh"]
        assert world.server.calls["refresh"] == 2

    @pytest.mark.parametrize("clock_error", [0.0, 600.0])
    @pytest.mark.parametrize("sends_date", [True, False])
    def test_a_wrong_clock_does_not_replace_a_valid_pair(self, sends_date: bool, clock_error: float) -> None:
        for seed in range(8):
            world = World(
                Plan(clients=1, lifetime=100, seconds=3, sends_date=sends_date, clock_error=clock_error), seed
            )
            world.store_a_pair(age=10)
            assert self.made(world.run()) == []

    def test_claims_are_removed_after_the_replacement(self) -> None:
        assert self.run(150).store.claims == {}


class TestThreadsOfOneProcess:
    request = ApiRequest("getcalllist", "GET", "https://server.example/x")

    def keeper(self, locking: bool) -> PairKeeper:
        return PairKeeper(Plan().client_settings(), AUTHORIZATION, locking=locking)

    @pytest.mark.parametrize("locking", [False, True])
    def test_if_the_replacing_task_is_cancelled_another_one_takes_over(self, locking: bool) -> None:
        keeper = self.keeper(locking)
        first, second = keeper.authorised(self.request), keeper.authorised(self.request)
        assert next(first) == steps.Load()
        join = next(second)
        assert isinstance(join, steps.Join)
        first.close()
        assert concurrent.futures.wait([join.future], 0.0).done
        assert second.send(None) == steps.Load()

    def test_a_refused_authorization_token_is_an_error_for_all(self) -> None:
        keeper = self.keeper(locking=True)
        first, second = keeper.authorised(self.request), keeper.authorised(self.request)
        next(first)
        next(second)
        step = first.send(None)
        while not isinstance(step, steps.Send):
            step = first.send(None)
        assert first.send(SimulatedAnswer(401, None)) == steps.Unlock()
        with pytest.raises(AlloincognitoAuthError):
            first.send(None)
        with pytest.raises(AlloincognitoAuthError):
            second.send(None)

    def test_a_lock_that_has_expired_is_taken_again(self) -> None:
        """No pair is made without it: another process may be making one."""
        keeper = self.keeper(locking=True)
        flow = keeper.authorised(self.request)
        step = next(flow)
        while not isinstance(step, steps.Extend):
            step = flow.send(None)
        assert flow.throw(AlloincognitoTokenStoreError("lost")) == steps.Unlock()
        seen = [type(flow.send(None)) for _ in range(3)]
        assert seen == [steps.Sleep, steps.Load, steps.Lock]

    def test_no_token_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        world = World(Plan(other_program_every=5, kills_every=5), 0).run()
        assert "was rejected" in caplog.text
        assert AUTHORIZATION not in caplog.text
        assert not [made for made in world.server.made if made.access in caplog.text or made.renewal in caplog.text]

"""How fast a client sends: ``api/transport/pace.py``, against servers with limits, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_alloincognito.api.transport.pace import Pace

MOST_ATTEMPTS = 10


class SlidingLimit:
    """Takes so many requests in any second."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._taken: deque[float] = deque()

    def takes(self, now: float) -> bool:
        while self._taken and now - self._taken[0] >= 1:
            self._taken.popleft()
        if len(self._taken) < self.per_second:
            self._taken.append(now)
            return True
        return False


class FixedLimit:
    """Takes so many requests in each second of the clock."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._second, self._count = -1, 0

    def takes(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += 1
        return self._count <= self.per_second


class TokenBucket:
    """Takes so many requests a second in the long run, and twice as many at once."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._tokens, self._last = 2.0 * per_second, 0.0

    def takes(self, now: float) -> bool:
        self._tokens = min(2.0 * self.per_second, self._tokens + (now - self._last) * self.per_second)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


Server = SlidingLimit | FixedLimit | TokenBucket


class World:
    """Threads that share a pace and send requests to a server, one event after the other."""

    def __init__(self, server: Server, retry_after: float | None, *, threads: int = 16, seed: int = 0) -> None:
        self.now = seed * 0.37
        self.rejected = 0
        self.given_up = 0
        self.taken_at: list[float] = []
        self._server = server
        self._retry_after = retry_after
        self._rng = random.Random(seed)
        self.pace = Pace(clock=lambda: self.now, rng=random.Random(seed))
        self._threads = threads

    def send(self, count: int) -> float:
        """Send so many requests; return the seconds until the server has taken the last."""
        began, todo = self.now, iter(range(count))
        runs = [self._thread(todo) for _ in range(self._threads)]
        waiting = [(self.now + self._rng.random() * 0.005, index) for index in range(len(runs))]
        heapq.heapify(waiting)
        while waiting:
            self.now, index = heapq.heappop(waiting)
            seconds = next(runs[index], None)
            if seconds is not None:
                heapq.heappush(waiting, (self.now + seconds, index))
        return self.taken_at[-1] - began

    def _thread(self, todo: Iterator[int]) -> Iterator[float]:
        for _ in todo:
            for _ in range(MOST_ATTEMPTS):
                turn = self.pace.turn()
                while wait := turn.seconds_left():
                    yield wait + self._rng.random() * 0.004
                yield self._rng.random() * 0.03
                taken = self._server.takes(self.now)
                yield (0.03 if taken else 0.002) * (0.5 + self._rng.random())
                if taken:
                    self.pace.note_taken()
                    self.taken_at.append(self.now)
                    break
                self.rejected += 1
                self.pace.note_rejected(turn, self._retry_after)
            else:
                self.given_up += 1


@pytest.mark.parametrize("retry_after", [None, 0, 1, 3])
@pytest.mark.parametrize("limit", [SlidingLimit, FixedLimit, TokenBucket])
@pytest.mark.parametrize("per_second", [5, 20])
def test_a_limit_is_found_and_kept_to(
    limit: Callable[[int], Server], per_second: int, retry_after: float | None
) -> None:
    for seed in range(20):
        world = World(limit(per_second), retry_after, seed=seed)
        seconds = world.send(20 * per_second)
        assert world.given_up == 0
        assert len(world.taken_at) == 20 * per_second
        assert seconds <= (1.5 if per_second == 5 else 1.75) * 20
        assert world.rejected <= 0.5 * 20 * per_second


def test_it_recovers_when_the_limit_is_raised() -> None:
    server = SlidingLimit(5)
    world = World(server, 1)
    world.send(100)
    server.per_second = 1000
    world.send(1000)
    world.send(3000)
    assert world.pace.rate > 50


def test_a_server_that_took_nothing_for_a_while_is_approached_slowly_then_fast() -> None:
    server = SlidingLimit(0)
    world = World(server, None, threads=4)
    world.send(1) if world.taken_at else None
    turn = world.pace.turn()
    assert turn.seconds_left() == 0
    world.pace.note_rejected(turn, None)
    assert world.pace.pause_left > 0
    server.per_second = 1000
    assert world.send(500) < 20
    assert world.rejected == 0


def test_without_rejections_nothing_waits() -> None:
    pace = Pace()
    assert [pace.turn().seconds_left() for _ in range(100)] == [0] * 100


def test_the_ceiling_is_kept_to() -> None:
    pace = Pace(10, clock=lambda: 5.0)
    assert [round(pace.turn().seconds_left(), 6) for _ in range(4)] == [0, 0.1, 0.2, 0.3]


def test_one_burst_of_rejections_is_one_pause() -> None:
    now = 100.0
    pace = Pace(clock=lambda: now)
    turns = [pace.turn() for _ in range(16)]
    assert {turn.seconds_left() for turn in turns} == {0}
    for turn in turns:
        pace.note_rejected(turn, 2)
    assert pace.pauses_in_vain == 1
    assert 2 <= pace.pause_left <= 2.1
    assert 2 <= pace.turn().seconds_left() <= 2.1
    now = 102.2
    seconds = sorted(pace.turn().seconds_left() for _ in range(4))
    assert seconds[0] == 0
    assert seconds[1] > 0.4, "they come back one after the other"


def test_a_backlog_does_not_drain_at_a_rate_of_the_past() -> None:
    now = 100.0
    pace = Pace(clock=lambda: now)
    turn = pace.turn()
    turn.seconds_left()
    pace.note_rejected(turn, None)
    now += 2
    waiting = [pace.turn() for _ in range(1000)]
    assert max(turn.seconds_left() for turn in waiting) <= 2
    now += 60
    assert pace.rate > 1000
    assert pace.turn().seconds_left() <= 1


def test_an_urgent_request_does_not_queue_behind_others() -> None:
    pace = Pace(1, clock=lambda: 100.0)
    waiting = [pace.turn() for _ in range(40)]
    for turn in waiting:
        turn.seconds_left()
    assert pace.turn(is_urgent=True).seconds_left() <= 2


def test_the_ceiling_is_kept_to_after_a_pause() -> None:
    now = 100.0
    pace = Pace(0.2, clock=lambda: now)
    turn = pace.turn()
    assert turn.seconds_left() == 0
    pace.note_rejected(turn, None)
    now += 1
    turn = pace.turn()
    while turn.seconds_left():
        now += 0.1
    assert now >= 104.9


@pytest.mark.parametrize(("share", "most"), [(0.01, 60), (0.03, 200)])
def test_rejections_that_have_nothing_to_do_with_load_do_not_bring_it_to_a_halt(share: float, most: float) -> None:
    class Flaky(SlidingLimit):
        def takes(self, now: float) -> bool:
            return rng.random() >= share

    rng = random.Random(1)
    assert World(Flaky(0), None).send(2000) < most


def test_a_late_rejection_holds_turns_that_were_reserved() -> None:
    now = 100.0
    pace = Pace(clock=lambda: now)
    late, first = pace.turn(), pace.turn()
    assert late.seconds_left() == first.seconds_left() == 0
    pace.note_rejected(first, None)
    now += 1.5
    reserved = pace.turn()
    reserved.seconds_left()
    pace.note_rejected(late, 60)
    assert reserved.seconds_left() >= 60


def test_one_request_that_is_given_up_does_not_mean_that_the_server_is_down() -> None:
    now = 100.0
    pace = Pace(clock=lambda: now)
    began, now = now, 101.0
    pace.note_taken()
    pace.note_given_up(began)
    assert not pace.is_down
    pace.note_given_up(now + 1)
    assert pace.is_down
    pace.note_taken()
    assert not pace.is_down

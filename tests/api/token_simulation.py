"""
A world in simulated time: client processes, a token store and a strict server. Each seed gives another interleaving.

The clients run the real token logic, and its steps are carried out here. Every call takes effect at a random moment
between its start and its end, so reads and writes overlap in every way that their latency allows.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import msgspec

from airflow_provider_alloincognito.api.answer.envelope import Envelope, EnvelopeReader
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.settings import Settings
from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.errors import (
    AlloincognitoApiError,
    AlloincognitoAuthError,
    AlloincognitoError,
    AlloincognitoRotationError,
    AlloincognitoTokenStoreError,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
AUTHORIZATION = "the-authorization-token"
ALLOWED, FORBIDDEN = "getcalllist", "getcallrecordfile"
LOCK_POLL_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What happens in a run. Times are in seconds; ``..._every`` is the mean time between two events, None for never.

    :param flows: threads, or tasks of an event loop, in one client process.
    :param pause_up_to: longest time from one request of a flow to its next.
    :param clock_error: each client's wall clock is wrong by up to this.
    :param slow_share: share of store calls that take up to ten times as long as the bound.
    :param lost_pairs: numbers of the pairs whose process is killed before it receives them.
    :param outages: when the store cannot be reached; reads then raise, or return None as in Airflow 3.
    :param new_token_at: when somebody makes a new authorization token, which invalidates this one.
    :param forbidden: share of requests for a method to which the token has no right.
    """

    clients: int = 8
    flows: int = 1
    seconds: float = 60.0
    pause_up_to: float = 0.5
    start_within: float = 0.0
    lifetime: float = 3.0
    refresh_lifetime: float = 63.0
    store_latency: float = 0.15
    server_latency: float = 0.15
    slow_share: float = 0.0
    clock_error: float = 600.0
    locking: bool = False
    kills_every: float | None = None
    lost_pairs: tuple[int, ...] = ()
    stops_every: float | None = None
    cancels_every: float | None = None
    other_program_every: float | None = None
    outages: tuple[tuple[float, float], ...] = ()
    outage_reads: Literal["raise", "none"] = "raise"
    new_token_at: float | None = None
    forbidden: float = 0.0
    rejection: Literal["401", "403", "envelope"] = "401"
    early_refresh: bool = True
    expiry: Literal["iso", "moscow", "epoch", "unreadable"] = "iso"
    sends_date: bool = True
    settings: dict[str, Any] = field(default_factory=dict)

    def client_settings(self) -> Settings:
        """Return the settings of the clients."""
        bounds = {"pair_store_seconds": self.store_latency, "pair_request_seconds": self.server_latency}
        return Settings(server="https://server.example:443", **{**bounds, **self.settings})

    def is_out(self, moment: float) -> bool:
        """Whether the store cannot be reached at ``moment``."""
        return any(start <= moment < end for start, end in self.outages)


@dataclass(slots=True)
class ServerPair:
    """A pair as the server knows it."""

    number: int
    how: str
    by: Client | None
    at: float
    saved: bool = False

    @property
    def access(self) -> str:
        return f"access-{self.number}"

    @property
    def renewal(self) -> str:
        return f"refresh-{self.number}"


@dataclass
class SimulatedAnswer:
    """A response as the token logic sees it."""

    status: int
    server_time: datetime | None
    body: bytes = b""
    allow: str | None = None

    @cached_property
    def envelope(self) -> Envelope | None:
        """Return the envelope, read by the real reader."""
        if not self.body:
            return None
        reader = EnvelopeReader()
        reader.feed(self.body)
        reader.finish()
        return reader.envelope


class Server:
    """Strict: one pair is valid, a new pair invalidates the one before, a refresh token can be used once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plan = world.plan
        self.made: list[ServerPair] = []
        self.calls: Counter[str] = Counter()

    @property
    def has_new_token(self) -> bool:
        return self.plan.new_token_at is not None and self.world.now >= self.plan.new_token_at

    def rotate(self, how: str, by: Client | None) -> ServerPair:
        """Make a pair, which invalidates the one before."""
        self.made.append(ServerPair(len(self.made) + 1, how, by, self.world.now))
        return self.made[-1]

    def answer(self, send: steps.Send, by: Client) -> SimulatedAnswer:
        """Return the response to a request that takes effect now."""
        method = send.request.method
        self.calls[method] += 1
        if method == "create":
            return self.rejected() if self.has_new_token or send.token != AUTHORIZATION else self.pair_made(method, by)
        current = self.made[-1] if self.made and not self.has_new_token else None
        age = self.world.now - current.at if current else 0.0
        if method == "refresh":
            too_early = not self.plan.early_refresh and age < self.plan.lifetime
            refused = current is None or send.token != current.renewal or age >= self.plan.refresh_lifetime
            return self.rejected() if refused or too_early else self.pair_made(method, by)
        if current is None or send.token != current.access or age >= self.plan.lifetime:
            return self.rejected()
        return SimulatedAnswer(403 if method == FORBIDDEN else 200, self.date())

    def pair_made(self, how: str, by: Client) -> SimulatedAnswer:
        made = self.rotate(how, by)
        if made.number in self.plan.lost_pairs:
            self.world.kill(by)
        body = {
            "accessToken": made.access,
            "accessTokenExpiredIn": self.expiry(self.plan.lifetime),
            "refreshToken": made.renewal,
            "refreshTokenExpiredIn": self.expiry(self.plan.refresh_lifetime),
        }
        return SimulatedAnswer(200, self.date(), msgspec.json.encode(body))

    def rejected(self) -> SimulatedAnswer:
        if self.plan.rejection == "envelope":
            return SimulatedAnswer(200, self.date(), b'{"error": {"errorMessage": "no", "errorCode": 401}}')
        return SimulatedAnswer(int(self.plan.rejection), self.date())

    def date(self) -> datetime | None:
        """Return the header ``Date``, which has whole seconds."""
        return self.world.wall_clock().replace(microsecond=0) if self.plan.sends_date else None

    def expiry(self, after: float) -> str:
        moment = self.world.wall_clock() + timedelta(seconds=after)
        match self.plan.expiry:
            case "iso":
                return moment.isoformat()
            case "moscow":
                return f"{moment + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
            case "epoch":
                return str(int(moment.timestamp()))
            case "unreadable":
                return "soon"


class Store:
    """A token store with claims; with a lock if the plan says so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pair: TokenPair | None = None
        self.claims: dict[str, str] = {}
        self.holder: Client | None = None
        self.held_until = 0.0

    def take_effect(self, step: steps.StoreStep, by: Client) -> Any:
        """Carry out a step, which takes effect now."""
        is_read = isinstance(step, steps.Load | steps.ReadClaim)
        if self.world.plan.is_out(self.world.now):
            if is_read and self.world.plan.outage_reads == "none":
                return None
            raise AlloincognitoTokenStoreError("simulated outage")
        match step:
            case steps.Load():
                return self.pair
            case steps.Save(pair):
                self.pair = pair
                self.world.note_saved(pair)
            case steps.ReadClaim(pair_id):
                return self.claims.get(pair_id)
            case steps.WriteClaim(pair_id, nonce):
                self.claims[pair_id] = nonce
            case steps.DropClaim(pair_id):
                self.claims.pop(pair_id, None)
            case steps.Extend():
                self.extend(by)
            case steps.Unlock():
                self.unlock(by)
        return None

    def lock(self, by: Client, lease: float) -> bool:
        if self.holder is not None and self.world.now < self.held_until:
            return False
        self.holder, self.held_until, by.lease = by, self.world.now + lease, lease
        return True

    def extend(self, by: Client) -> None:
        if self.holder is not by or self.world.now >= self.held_until:
            raise AlloincognitoTokenStoreError("the lock is no longer held")
        self.held_until = self.world.now + by.lease

    def unlock(self, by: Client) -> None:
        if self.holder is by:
            self.holder = None


class Client:
    """One process, with its own clocks, its own keeper, and some flows."""

    def __init__(self, world: World) -> None:
        rng, plan = world.rng, world.plan
        self.world = world
        self.dead = False
        self.stopped_until = 0.0
        self.stopped_for = 0.0
        self.lease = 0.0
        zero, error = rng.uniform(0, 1e5), timedelta(seconds=rng.uniform(-1, 1) * plan.clock_error)
        self.keeper = PairKeeper(
            world.settings,
            AUTHORIZATION,
            locking=plan.locking,
            clock=lambda: world.now + zero,
            now=lambda: world.wall_clock() + error,
            rng=random.Random(rng.random()),
        )
        self.flows = [Flow(self) for _ in range(plan.flows)]

    def stop(self, seconds: float) -> None:
        """Stop the process for a time. Calls that it has begun still take effect."""
        began = max(self.world.now, self.stopped_until)
        self.stopped_until = max(self.stopped_until, self.world.now + seconds)
        self.stopped_for += self.stopped_until - began


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended."""

    began: float
    ended: float
    method: str
    error: AlloincognitoError | None
    replays: int
    wait: float


class Flow:
    """One request after the other, in one thread or task."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.world = client.world
        self.work: Generator[steps.Step, Any, Any] | None = None
        self.turn = 0
        self.world.after(self.world.rng.uniform(0, self.world.plan.start_within), self.begin)

    def begin(self) -> None:
        if self.client.dead or self.world.now >= self.world.plan.seconds:
            return
        self.method = FORBIDDEN if self.world.rng.random() < self.world.plan.forbidden else ALLOWED
        self.began, self.stopped_for = self.world.now, self.client.stopped_for
        self.sends, self.last_send = 0, 0.0
        self.work = self.client.keeper.authorised(ApiRequest(self.method, "GET", "https://server.example/x"))
        self.resume(self.turn, None, None)

    def resume(self, turn: int, value: Any, error: AlloincognitoError | None) -> None:
        """Send the outcome of a step to the token logic, unless the step was of an earlier turn."""
        if self.client.dead or turn != self.turn or self.work is None:
            return
        if self.world.now < self.client.stopped_until:
            self.world.at(self.client.stopped_until, lambda: self.resume(turn, value, error))
            return
        self.turn += 1
        try:
            step = self.work.send(value) if error is None else self.work.throw(error)
        except StopIteration:
            self.end(None)
        except AlloincognitoError as final:
            self.end(final)
        else:
            self.do(step)

    def end(self, error: AlloincognitoError | None) -> None:
        world = self.world
        self.work = None
        wait = world.now - self.began - self.last_send - (self.client.stopped_for - self.stopped_for)
        world.outcomes.append(Outcome(self.began, world.now, self.method, error, self.sends - 1, max(0.0, wait)))
        world.after(world.rng.uniform(0, world.plan.pause_up_to), self.begin)

    def cancel(self) -> None:
        """Cancel the request as a trigger is cancelled: the generator is closed, and the lock released."""
        if self.work is not None:
            self.turn += 1
            self.work.close()
            self.world.store.unlock(self.client)
            self.work = None
            self.world.after(0.0, self.begin)

    def do(self, step: steps.Step) -> None:
        world, turn = self.world, self.turn
        match step:
            case steps.Sleep(seconds):
                world.after(seconds, lambda: self.resume(turn, None, None))
            case steps.Join(future, timeout):
                self.join(future, timeout, turn)
            case steps.Lock(lease, timeout):
                self.lock(lease, world.now + timeout, turn)
            case steps.Send():
                latency = world.rng.uniform(0, world.plan.server_latency)
                if not step.is_token_call:
                    self.sends, self.last_send = self.sends + 1, latency
                self.call(latency, lambda: world.server.answer(step, self.client), turn)
            case _:
                latency = world.rng.uniform(0, world.plan.store_latency)
                latency *= 10 if world.rng.random() < world.plan.slow_share else 1
                self.call(latency, lambda: world.store.take_effect(step, self.client), turn)

    def call(self, latency: float, effect: Callable[[], Any], turn: int) -> None:
        """Begin a call now; it takes effect at some moment and ends after ``latency``."""
        end = self.world.now + latency

        def take_effect() -> None:
            value, error = None, None
            try:
                value = effect()
            except AlloincognitoError as raised:
                error = raised
            self.world.at(end, lambda: self.resume(turn, value, error))

        self.world.after(self.world.rng.uniform(0, latency), take_effect)

    def join(self, future: Future[TokenPair], timeout: float, turn: int) -> None:
        self.world.after(timeout, lambda: self.resume(turn, None, None))
        future.add_done_callback(lambda _: self.world.after(0.0, lambda: self.resume(turn, None, None)))

    def lock(self, lease: float, deadline: float, turn: int) -> None:
        world = self.world
        if self.client.dead or turn != self.turn:
            return
        if world.plan.is_out(world.now) or world.now > deadline:
            self.resume(turn, None, AlloincognitoTokenStoreError("the lock is held"))
        elif world.store.lock(self.client, lease):
            world.after(world.rng.uniform(0, world.plan.store_latency), lambda: self.resume(turn, None, None))
        else:
            world.after(LOCK_POLL_INTERVAL, lambda: self.lock(lease, deadline, turn))


class World:
    """
    One run.

    :param plan: what happens in it.
    :param seed: decides in which order.
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.rng = random.Random(seed)
        self.now = 0.0
        self.settings = plan.client_settings()
        self.outcomes: list[Outcome] = []
        self.foreign = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.server = Server(self)
        self.store = Store(self)
        self.killed: list[Client] = []
        self.clients = [Client(self) for _ in range(plan.clients)]
        for every, event in (
            (plan.kills_every, self.kill),
            (plan.stops_every, self.stop),
            (plan.cancels_every, self.cancel),
            (plan.other_program_every, self.other_program),
        ):
            self.repeat(every, event)

    def store_a_pair(self, age: float) -> TokenPair:
        """Begin with a stored pair that was made ``age`` seconds ago."""
        self.now = -age
        made = self.server.rotate("earlier", None)
        end, last = self.plan.lifetime, self.plan.refresh_lifetime
        start = self.wall_clock()
        stamps = (start + timedelta(seconds=end), start + timedelta(seconds=last))
        self.now, self.foreign = 0.0, self.foreign + 1
        self.store.pair = TokenPair(made.access, stamps[0], made.renewal, stamps[1], start)
        return self.store.pair

    def wall_clock(self) -> datetime:
        """Return the correct time."""
        return EPOCH + timedelta(seconds=self.now)

    def at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._order), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self.at(self.now + seconds, event)

    def repeat(self, every: float | None, event: Callable[[], None]) -> None:
        if every is None:
            return

        def again() -> None:
            if self.now < self.plan.seconds:
                event()
                self.after(self.rng.uniform(0, 2 * every), again)

        self.after(self.rng.uniform(0, 2 * every), again)

    def run(self) -> World:
        """Run until every request that was begun has ended."""
        while self._queue:
            self.now, _, event = heapq.heappop(self._queue)
            event()
        return self

    # What happens to the clients

    def kill(self, client: Client | None = None) -> None:
        """Kill a process as by SIGKILL: none of its code runs again. A new one takes its place."""
        place = self.clients.index(client or self.rng.choice(self.clients))
        self.clients[place].dead = True
        self.killed.append(self.clients[place])  # if they were collected, their generators would run their clean-up
        self.clients[place] = Client(self)

    def stop(self) -> None:
        self.rng.choice(self.clients).stop(self.rng.uniform(1, 5))

    def cancel(self) -> None:
        self.rng.choice(self.rng.choice(self.clients).flows).cancel()

    def other_program(self) -> None:
        """Have another program make a pair with the same authorization token."""
        self.foreign += 1
        self.server.rotate("foreign", None)

    def note_saved(self, pair: TokenPair) -> None:
        for made in reversed(self.server.made):
            if made.access == pair.access_token:
                made.saved = True
                return

    # The outcome

    @property
    def rotations(self) -> int:
        """How many pairs the clients made."""
        return len(self.server.made) - self.foreign

    @property
    def creates(self) -> int:
        """How many pairs the clients made by ``create``."""
        return sum(made.how == "create" for made in self.server.made)

    @property
    def lost(self) -> int:
        """How many pairs never reached the store."""
        return sum(not made.saved and made.by is not None for made in self.server.made)

    @property
    def rotations_per_cause(self) -> float:
        """Pairs made per expiry, lost pair or pair of another program. The first ``create`` counts too."""
        return self.rotations / (self.plan.seconds / self.plan.lifetime + self.lost + self.foreign)

    @property
    def failures(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def unjustified(self) -> list[Outcome]:
        """Requests that ended in an error for which there was no reason."""
        return [outcome for outcome in self.failures if not self.is_justified(outcome)]

    def is_justified(self, outcome: Outcome) -> bool:
        match outcome.error:
            case AlloincognitoAuthError():
                return self.plan.new_token_at is not None and outcome.ended >= self.plan.new_token_at
            case AlloincognitoApiError():
                # Its text says that it may also be a pair that another program has just invalidated.
                return outcome.method == FORBIDDEN or (self.foreign > 0 and self.plan.rejection == "403")
            case AlloincognitoTokenStoreError():
                return any(start < outcome.ended and outcome.began < end for start, end in self.plan.outages)
            case AlloincognitoRotationError():
                return self.plan.other_program_every is not None
        return False

    def waits(self) -> list[float]:
        """How long each request waited in addition to the time of its accepted attempt, in seconds, sorted."""
        return sorted(outcome.wait for outcome in self.outcomes)

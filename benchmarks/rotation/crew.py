"""Processes that ask without end, and the hand that kills some of them."""

from __future__ import annotations

import contextlib
import gc
import logging
import mmap
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

from benchmarks.rotation.measured import Notes, Request
from benchmarks.rotation.plan import Plan

IDLE, CLAIMING, MAKING = 0, 1, 2
AIMED = 3  # of so many kills, one is aimed at a process that is making a pair
LONGEST_AIM = 0.9  # of the time to the next kill
LONGEST_LAST_REQUEST = 60.0


class Seat:
    """
    A place in the crew, and a byte that tells the parent what whoever sits there is doing.

    :param board: one byte for each seat, shared with the parent.
    """

    def __init__(self, board: mmap.mmap, number: int) -> None:
        self._board = board
        self._number = number

    def claiming(self) -> None:
        """The right to make a pair is about to be taken."""
        self._board[self._number] = CLAIMING

    def making(self) -> None:
        """A pair is about to be made."""
        self._board[self._number] = MAKING

    def idle(self) -> None:
        """It has been stored, or somebody else's was taken."""
        self._board[self._number] = IDLE

    @property
    def holds_others_up(self) -> bool:
        """Whether a death here is felt by others."""
        return self._board[self._number] != IDLE

    @property
    def is_making(self) -> bool:
        """Whether a pair is being made here."""
        return self._board[self._number] == MAKING


Ask = Callable[[], Request]
MakeAsk = Callable[[Seat], Ask]


@dataclass
class Crew:
    """
    Runs ``plan.processes`` processes for ``plan.seconds``.

    :param make_ask: called in each process; gives what makes one request.
    :param folder: for notes and logs.
    :param felt_kills: when a process was killed that held others up, in seconds since the epoch.
    """

    plan: Plan
    make_ask: MakeAsk
    folder: Path
    killed: int = 0
    felt_kills: list[float] = field(default_factory=list)
    _members: list[ForkProcess] = field(default_factory=list)

    def run(self, foreign: Callable[[], None]) -> float:
        """
        Run.

        :param foreign: makes a pair as a stranger does.
        :return: seconds from the first request on.
        """
        gc.collect()
        gc.freeze()  # or each process would copy what it inherits, Airflow above all, to count it
        board = mmap.mmap(-1, max(1, self.plan.processes))
        self._seats = [Seat(board, number) for number in range(self.plan.processes)]
        began = time.monotonic() + 0.5 + self.plan.processes / 100  # all at once, on an empty store
        self._end = began + self.plan.seconds
        self._members = [self._hire(seat, began) for seat in self._seats]
        kill_at = _first(began, self.plan.kill_every)
        foreign_at = _first(began, self.plan.foreign_every)
        while time.monotonic() < self._end:
            time.sleep(0.01)
            if time.monotonic() >= kill_at:
                self._kill()
                kill_at += self.plan.kill_every
            if time.monotonic() >= foreign_at:
                foreign_at += self.plan.foreign_every
                foreign()
        elapsed = time.monotonic() - began
        for member in self._members:
            member.join(LONGEST_LAST_REQUEST)
        return elapsed

    def _hire(self, seat: Seat, begin: float) -> ForkProcess:
        member = multiprocessing.get_context("fork").Process(
            target=_work, args=(self.make_ask, seat, begin, self._end, self.plan.pause, self.folder), daemon=True
        )
        member.start()
        return member

    def _kill(self) -> None:
        number = random.randrange(len(self._members))
        if self.killed % AIMED == AIMED - 1:
            number = self._somebody_making(number)
        self._members[number].kill()
        self._members[number].join()
        if self._seats[number].holds_others_up:
            self.felt_kills.append(time.time())
        self._seats[number].idle()
        self.killed += 1
        self._members[number] = self._hire(self._seats[number], time.monotonic())

    def _somebody_making(self, otherwise: int) -> int:
        give_up = min(time.monotonic() + LONGEST_AIM * self.plan.kill_every, self._end)
        while time.monotonic() < give_up:
            for number, seat in enumerate(self._seats):
                if seat.is_making:
                    # Anywhere from the request's way there to the save: many of these pairs are made, and lost.
                    saving = 0.0 if self.plan.mode == "redis" else self.plan.store_latency
                    time.sleep(random.uniform(0, self.plan.api_latency + saving))
                    return number
            time.sleep(0.002)
        return otherwise


def _first(began: float, every: float) -> float:
    return began + every if every else float("inf")


def _work(make_ask: MakeAsk, seat: Seat, begin: float, end: float, pause: float, folder: Path) -> None:
    random.seed()
    logging.basicConfig(
        filename=folder / f"log-{os.getpid()}-{time.monotonic_ns()}.txt",
        level=logging.INFO,
        format="%(asctime)s %(name)s %(message)s",
        force=True,
    )
    notes = Notes(folder)
    ask = make_ask(seat)
    time.sleep(max(0.0, begin - time.monotonic()))
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            notes.add(ask())
            time.sleep(random.uniform(0.5, 1.5) * pause)

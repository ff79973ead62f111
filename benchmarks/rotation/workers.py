"""Processes that make requests until the end of the run; some of them are killed."""

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

from benchmarks.rotation.measured_client import Request, RequestLog
from benchmarks.rotation.plan import Plan

IDLE, CLAIMING, MAKING = 0, 1, 2
AIMED = 3  # one of so many kills is aimed at a process that is making a pair
LONGEST_AIM = 0.9  # part of the time to the next kill
LONGEST_LAST_REQUEST = 60.0


class WorkerStatus:
    """
    What a worker is doing, for the parent process to see.

    :param board: shared memory, one byte for each worker.
    """

    def __init__(self, board: mmap.mmap, number: int) -> None:
        self._board = board
        self._number = number

    def claiming(self) -> None:
        """Report that the right to make a pair is about to be taken."""
        self._board[self._number] = CLAIMING

    def making(self) -> None:
        """Report that a pair is about to be made."""
        self._board[self._number] = MAKING

    def idle(self) -> None:
        """Report that the pair was stored, or that another process' pair is used."""
        self._board[self._number] = IDLE

    @property
    def delays_others(self) -> bool:
        """Whether other workers wait for this one."""
        return self._board[self._number] != IDLE

    @property
    def is_making(self) -> bool:
        """Whether this worker is making a pair."""
        return self._board[self._number] == MAKING


MakeRequest = Callable[[], Request]
StartClient = Callable[[WorkerStatus], MakeRequest]


@dataclass
class Workers:
    """
    Runs ``plan.processes`` processes for ``plan.seconds``.

    :param start_client: called in each process; returns a function that makes one request.
    :param folder: for the logs.
    :param felt_kills: when a process was killed that others waited for, in seconds since the epoch.
    """

    plan: Plan
    start_client: StartClient
    folder: Path
    killed: int = 0
    felt_kills: list[float] = field(default_factory=list)
    _processes: list[ForkProcess] = field(default_factory=list)

    def run(self, foreign: Callable[[], None]) -> float:
        """
        Run them.

        :param foreign: makes a pair as another program would.
        :return: seconds since the first request.
        """
        gc.collect()
        gc.freeze()  # otherwise each process would copy the memory that it inherits when it collects garbage
        board = mmap.mmap(-1, max(1, self.plan.processes))
        self._statuses = [WorkerStatus(board, number) for number in range(self.plan.processes)]
        began = time.monotonic() + 0.5 + self.plan.processes / 100  # all start at once, on an empty store
        self._end = began + self.plan.seconds
        self._processes = [self._start(status, began) for status in self._statuses]
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
        for process in self._processes:
            process.join(LONGEST_LAST_REQUEST)
        return elapsed

    def _start(self, status: WorkerStatus, begin: float) -> ForkProcess:
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(self.start_client, status, begin, self._end, self.plan.pause, self.folder), daemon=True
        )
        process.start()
        return process

    def _kill(self) -> None:
        number = random.randrange(len(self._processes))
        if self.killed % AIMED == AIMED - 1:
            number = self._wait_for_maker(number)
        self._processes[number].kill()
        self._processes[number].join()
        if self._statuses[number].delays_others:
            self.felt_kills.append(time.time())
        self._statuses[number].idle()
        self.killed += 1
        self._processes[number] = self._start(self._statuses[number], time.monotonic())

    def _wait_for_maker(self, default: int) -> int:
        give_up = min(time.monotonic() + LONGEST_AIM * self.plan.kill_every, self._end)
        while time.monotonic() < give_up:
            for number, status in enumerate(self._statuses):
                if status.is_making:
                    # At any moment from the request to the save: many of these pairs are made and lost.
                    saving = 0.0 if self.plan.mode == "redis" else self.plan.store_latency
                    time.sleep(random.uniform(0, self.plan.api_latency + saving))
                    return number
            time.sleep(0.002)
        return default


def _first(began: float, every: float) -> float:
    return began + every if every else float("inf")


def _work(
    start_client: StartClient, status: WorkerStatus, begin: float, end: float, pause: float, folder: Path
) -> None:
    random.seed()
    logging.basicConfig(
        filename=folder / f"log-{os.getpid()}-{time.monotonic_ns()}.txt",
        level=logging.INFO,
        format="%(asctime)s %(name)s %(message)s",
        force=True,
    )
    log = RequestLog(folder)
    request = start_client(status)
    time.sleep(max(0.0, begin - time.monotonic()))
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            log.add(request())
            time.sleep(random.uniform(0.5, 1.5) * pause)

"""What a run of the benchmark is like."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

MODES = ("naive", "naive-recreate", "protocol", "redis", "airflow")
# 64 processes on two cores: more would measure the machine.
MOST_REQUESTS_PER_SECOND = 300


@dataclass(frozen=True)
class Plan:
    """
    One run.

    :param mode: who keeps the pair, and how.
    :param processes: how many at a time.
    :param lifetime: seconds that an access token lives.
    :param store_latency: the longest call to the plain registers, in seconds; also D of all modes.
    :param call_seconds: S.
    :param api_latency: seconds that an answer of the stand takes.
    :param seconds: length of the run.
    :param kill_every: a process is killed so often, in seconds, and replaced; 0 is never.
    :param foreign_every: a stranger makes a pair so often, in seconds; 0 is never.
    """

    mode: str
    processes: int
    lifetime: float
    store_latency: float
    call_seconds: float
    api_latency: float
    seconds: float
    kill_every: float
    foreign_every: float

    @property
    def pause(self) -> float:
        """Seconds from one request of a process to its next, on average."""
        return max(0.075, self.processes / MOST_REQUESTS_PER_SECOND)

    @property
    def longest_loss(self) -> float:
        """Within this a lost pair is to be replaced: lease + 8 D + 3 S."""
        return 14 * self.store_latency + 5 * self.call_seconds


def read_plans(arguments: Sequence[str] | None = None) -> list[Plan]:
    """Read the command line; gives a plan for each number of processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rotation", description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--processes", default="1,8,32,64", help="numbers of processes, with commas (%(default)s)")
    parser.add_argument("--lifetime", type=float, default=3.0, help="of an access token, seconds (%(default)s)")
    parser.add_argument("--store-latency", type=float, default=0.15, help="D: longest store call, s (%(default)s)")
    parser.add_argument("--call-seconds", type=float, default=1.0, help="S: bound on a token call, s (%(default)s)")
    parser.add_argument("--api-latency", type=float, default=0.05, help="of the stand's answers, s (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a run (%(default)s)")
    parser.add_argument("--kill-every", type=float, default=0.0, help="SIGKILL a process so often, s; 0: never")
    parser.add_argument("--foreign-every", type=float, default=0.0, help="a stranger rotates so often, s; 0: never")
    options = vars(parser.parse_args(arguments))
    processes = [int(number) for number in options.pop("processes").split(",")]
    return [Plan(processes=number, **options) for number in processes]

"""The settings of a run, and the command line."""

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

    :param mode: how the processes get a pair.
    :param processes: how many at a time.
    :param lifetime: seconds that an access token lives.
    :param store_latency: the longest call to the slow store, in seconds; also the bound D of all modes.
    :param call_seconds: the bound S on a call that makes a pair, in seconds.
    :param api_latency: seconds that a response of the sandbox takes.
    :param seconds: length of the run.
    :param kill_every: seconds between two kills of a process, which is then replaced; 0: never.
    :param foreign_every: seconds between two pairs that another program makes; 0: never.
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
    def sandbox_settings(self) -> dict[str, float]:
        """The sandbox's settings."""
        refresh_lifetime = self.lifetime * 25 / 24 + 1
        return {"access_lifetime": self.lifetime, "refresh_lifetime": refresh_lifetime, "latency": self.api_latency}

    @property
    def pause(self) -> float:
        """The average time between two requests of a process, in seconds."""
        return max(0.075, self.processes / MOST_REQUESTS_PER_SECOND)

    @property
    def longest_loss(self) -> float:
        """The longest time until a lost pair is replaced, in seconds: lease + 8 D + 3 S."""
        return 14 * self.store_latency + 5 * self.call_seconds


def read_plans(arguments: Sequence[str] | None = None) -> list[Plan]:
    """Read the command line; return a plan for each number of processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rotation", description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--processes", default="1,8,32,64", help="numbers of processes, with commas (%(default)s)")
    parser.add_argument("--lifetime", type=float, default=3.0, help="of an access token, seconds (%(default)s)")
    parser.add_argument("--store-latency", type=float, default=0.15, help="D: longest store call, s (%(default)s)")
    parser.add_argument("--call-seconds", type=float, default=1.0, help="S: bound on a token call, s (%(default)s)")
    parser.add_argument("--api-latency", type=float, default=0.05, help="of the sandbox's responses, s (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a run (%(default)s)")
    parser.add_argument("--kill-every", type=float, default=0.0, help="between two SIGKILLs of a process, s; 0: never")
    parser.add_argument(
        "--foreign-every", type=float, default=0.0, help="between two rotations by another program, s; 0: never"
    )
    options = vars(parser.parse_args(arguments))
    processes = [int(number) for number in options.pop("processes").split(",")]
    return [Plan(processes=number, **options) for number in processes]

"""``python -m benchmarks.triggers``: waiting triggers by their number, and what they take. Prints a table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks.common.provider import connection_to


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--count", type=int, nargs="+", default=[1000, 5000])
    options = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.triggers.stand"], stdout=subprocess.PIPE, text=True
    ) as stand:
        assert stand.stdout is not None
        url = f"http://127.0.0.1:{stand.stdout.readline().strip()}"
        try:
            print("| waiting | lateness, p99 | longest block | CPU, cores | memory growth |")
            print("| --- | --- | --- | --- | --- |")
            for count in options.count:
                ours = _run("triggers", count, options.seconds, url)
                bare = _run("bare httpx", count, options.seconds, url)
                print(_line(f"{count} triggers", ours))
                print(_line(f"{count} tasks of bare httpx", bare))
                print(f"| ratio of CPU at {count} | | | {ours['cpu'] / bare['cpu']:.2f} | |")
        finally:
            stand.kill()


def _run(contender: str, count: int, seconds: float, url: str) -> dict[str, float]:
    environment = {**os.environ, "AIRFLOW_CONN_ALLOINCOGNITO_DEFAULT": connection_to(url, "/rows/1")}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.triggers.waiters", contender, str(count), str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _line(name: str, told: dict[str, float]) -> str:
    return (
        f"| {name} | {told['late'] * 1000:.0f} ms | {told['block'] * 1000:.0f} ms | {told['cpu']:.3f} "
        f"| {told['growth']:.0f} MB |"
    )


if __name__ == "__main__":
    main()

"""The deployment that is simulated: its size, and all that cannot be measured here and is assumed."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0


@dataclass(frozen=True)
class Plan:
    """
    A deployment and its day. Times are in seconds, the day's from midnight on.

    :param contracts: authorization tokens; each has a Connection.
    :param calls: of all contracts, a day.
    :param recordings: likewise.
    :param skew: sigma of the log-normal distribution of the contracts' sizes.
    :param settled: when the day before may be fetched.
    :param deadline: when all is to have landed.
    :param workers: machines that run tasks.
    :param slots: task instances at a time, of a worker.
    :param cores: of a worker.
    :param schedulers: of an environment.
    :param api_processes: processes of the API server, of an environment.
    :param environments: separate Airflows that share the workers, and the contracts, evenly.
    :param mapped: one DAG mapped over the contracts instead of a DAG for each.
    :param reschedules: the sensor waits in the mode ``reschedule`` as in the example DAGs, instead of in the triggerer.
    :param poke_interval: of such a sensor.
    :param spread: the contracts' first tasks start within so many seconds.
    :param concurrency: recordings in flight of a task.
    :param requests_per_second: the Connection's setting: of one task; 0: no limit.
    :param server_rate: requests per second that AlloIncognito's server takes, of all contracts together.
    :param list_latency: until a call list begins to arrive.
    :param recording_latency: likewise a recording.
    :param recording_bytes: of one recording, decoded.
    :param bandwidth: of the connection to the server, in bytes per second.
    :param load_seconds: that a warehouse takes to load a contract's day.
    :param pair_life: of an access token.
    :param renewed_before: how long before its end a pair is renewed.
    :param store: where the pairs are kept: ``variable`` or ``redis``.
    :param seed: of what is random.
    """

    contracts: int = 1000
    calls: int = 10_000_000
    recordings: int = 300_000
    skew: float = 1.0
    settled: float = 4 * HOUR
    deadline: float = 6 * HOUR
    workers: int = 4
    slots: int = 8
    cores: int = 2
    schedulers: int = 1
    api_processes: int = 1
    environments: int = 1
    mapped: bool = False
    reschedules: bool = True
    poke_interval: float = 600.0
    spread: float = 0.0
    concurrency: int = 4
    requests_per_second: float = 5.0
    server_rate: float = 100.0
    list_latency: float = 2.0
    recording_latency: float = 0.3
    recording_bytes: int = 300_000
    bandwidth: float = 125e6
    load_seconds: float = 5.0
    pair_life: float = 24 * HOUR
    renewed_before: float = 600.0
    store: str = "variable"
    seed: int = 1

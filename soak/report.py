"""What a soak prints at its end: tables in Markdown, and what was promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from soak.growth import LOOP, MOST_FILES, MOST_MEMORY, MOST_MEMORY_OF_AIRFLOW, WARM_UP, Growth
from soak.landed import Landed
from soak.runs import DAGS, KILLED, Runs, Try, by_task
from soak.trouble import Trouble

# What a fault of the API, or an invalidated pair, may end a try with.
BY_FAULT = {
    "AlloincognitoApiError",
    "AlloincognitoBusyError",
    "AlloincognitoConnectionError",
    "AlloincognitoRecordingsFailedError",
    "AlloincognitoResponseError",
    "AlloincognitoRotationError",
    "AlloincognitoTruncatedError",
}


def report(minutes: float, runs: Runs, trouble: Trouble, growth: list[Growth], landed: Landed) -> int:
    """Print all, and return the exit code: 1 if a promise was not kept."""
    states = runs.states()
    tasks = list(by_task(runs.tries(trouble.killer.killed)))
    failed = [tries for tries in tasks if tries[-1].state == "failed"]
    faults = {id(tries): _faults_of(tries, trouble) for tries in failed}
    differences = [
        one for dag_id, day, state in states if state == "success" for one in landed.differences(dag_id, day)
    ]
    print(f"\n{minutes:.0f} minutes of trouble\n")
    _print_table(("DAG", "runs", "tasks", "tries", "failed tasks"), _by_dag(states, tasks))
    retried = [one for tries in tasks for one in tries if one.reason]
    _print_table(("what ended a try that failed", "tries"), _counted(one.reason for one in retried))
    _print_table(("fault of the API", "requests"), _counted(one.kind for one in trouble.seen))
    _print_table(("pair made by", "times"), _counted(trouble.makers()))
    _print_table(
        ("process", "MB at first", "MB at last", "open files at first", "at last"),
        [(one.role, *(f"{number:.0f}" for number in (*one.memory, *one.files))) for one in growth],
    )
    print(f"{len(trouble.killer.killed)} tasks were killed. {trouble.requests()} requests were received.")
    for tries in failed:
        print(f"FAILED {' '.join(tries[-1].key)}: {', '.join(one.reason for one in tries)}; {faults[id(tries)] or '?'}")
    for difference in differences:
        print(f"DIFFERENT {difference}")
    return _judge(
        {
            f"All {len(states)} runs ended": all(state in ("success", "failed") for _, _, state in states),
            f"{len(failed)} tasks failed, each by faults that outlasted its retries": all(faults.values()),
            f"All that landed is as it should be: {landed.rows} calls, {landed.recordings} recordings, no leftovers": (
                landed.rows > 0 and not differences
            ),
            f"From the first to the last quarter after the warm-up (the first {WARM_UP:.0%}), {LOOP} and the sandbox "
            f"grew by at most {MOST_MEMORY - 1:.0%}, Airflow's other processes by {MOST_MEMORY_OF_AIRFLOW - 1:.0%}, "
            f"all by at most {MOST_FILES} open files": all(one.is_flat for one in growth),
        }
    )


def _faults_of(tries: list[Try], trouble: Trouble) -> str:
    """Return what ended each try of a failed task; empty if one ended otherwise, or without a fault in its time."""
    found: Counter[str] = Counter()
    for one in tries:
        seen = [fault.kind for fault in trouble.seen if one.start <= fault.time <= one.end]
        if one.reason == KILLED:
            found[KILLED] += 1
        elif one.reason in BY_FAULT and seen:
            found.update(seen)
        else:
            return ""
    return ", ".join(f"{number} x {kind}" for kind, number in found.most_common())


def _by_dag(states: list[tuple[str, str, str]], tasks: list[list[Try]]) -> Iterable[Sequence[str]]:
    for dag_id in DAGS:
        ours = [tries for tries in tasks if tries[0].dag_id == dag_id]
        yield (
            dag_id,
            str(sum(dag_id == one for one, _, _ in states)),
            str(len(ours)),
            str(sum(map(len, ours))),
            str(sum(tries[-1].state == "failed" for tries in ours)),
        )


def _counted(kinds: Iterable[str]) -> Iterable[Sequence[str]]:
    return [(kind, str(number)) for kind, number in Counter(kinds).most_common()]


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines), end="\n\n")


def _judge(promises: dict[str, bool]) -> int:
    for promise, is_kept in promises.items():
        print(f"{'Kept' if is_kept else 'NOT KEPT'}: {promise}.")
    return 0 if all(promises.values()) else 1

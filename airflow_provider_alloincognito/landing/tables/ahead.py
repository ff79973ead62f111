"""Work ahead: a thread computes while the caller's own thread reads and writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 2
"""How many further items are read before the result of one is waited for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """
    Yield the function's result for each item, as ``map`` does, but have a thread call it. Close it to end the thread.

    It saves time if the function releases the GIL. Items are read and results are used in the caller's thread, where a
    signal's handler can stop both at once.

    :param function: called for one item at a time, in their order.
    :param items: at most ``AHEAD`` are read ahead, so that memory does not grow with their number. Their errors and
        those of the function are raised in the order of the items, however far they have been read.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for result in _submit(thread, function, items):
            waiting.append(result)
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)


def _submit(
    thread: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Future[Result]]:
    try:
        for item in items:
            yield thread.submit(function, item)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised after the results before it
        failed = Future[Result]()
        failed.set_exception(error)
        yield failed

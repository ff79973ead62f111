"""The log lines of this package, in order, from Airflow 3's structlog and from the standard library's loggers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_alloincognito.compat import AIRFLOW_VERSION

OURS = "airflow_provider_alloincognito"


@contextmanager
def package_lines() -> Iterator[list[str]]:
    """Collect what the package logs in the ``with`` block, at INFO and above."""
    lines: list[str] = []
    handler = _Handler(lines)
    package = logging.getLogger(OURS)
    loggers = [package, logging.getLogger("airflow.task")] if AIRFLOW_VERSION < (3, 0) else [package]
    level = package.level
    package.setLevel(logging.INFO)
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with _structlog_lines(lines):
            yield lines
    finally:
        package.setLevel(level)
        for logger in loggers:
            logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if OURS in record.name:
            self._lines.append(record.getMessage())


@contextmanager
def _structlog_lines(lines: list[str]) -> Iterator[None]:
    """``self.log`` of Airflow 3's operators and sensors does not go through the standard library."""
    if AIRFLOW_VERSION < (3, 0):
        yield
        return
    import structlog

    def keep(logger: Any, method: str, event: Any) -> Any:
        if OURS in (getattr(logger, "name", None) or "") and method != "debug":
            lines.append(event["event"])
        return event

    processors = structlog.get_config()["processors"]
    processors.insert(0, keep)
    try:
        yield
    finally:
        processors.remove(keep)

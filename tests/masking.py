"""Airflow's masker of secrets: what a task's log would show, and how to reset it."""

from __future__ import annotations

import sys
from typing import Any

SDK, CORE = "airflow.sdk._shared.secrets_masker", "airflow.utils.log.secrets_masker"


def masked(text: str) -> str:
    """Return ``text`` as a task's log would show it."""
    return str(_masker().redact(text))


def number_of_secrets() -> int:
    """Return how many secrets Airflow would mask."""
    return len(_masker().patterns)


def forget_secrets() -> None:
    """Forget all secrets. Airflow compiles them into one pattern again for each new one."""
    if SDK not in sys.modules and CORE not in sys.modules:
        return
    masker = _masker()
    masker.patterns, masker.replacer = set(), None


def _masker() -> Any:
    try:
        from airflow.sdk._shared.secrets_masker import _secrets_masker
    except ImportError:  # Airflow 2.11
        from airflow.utils.log.secrets_masker import _secrets_masker  # type: ignore[import-not-found,no-redef]
    return _secrets_masker()

"""Airflow's masker of secrets: what a task's log would show, and how to reset it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

PLACES = [
    "airflow.sdk._shared.secrets_masker",  # from 3.1 on
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow.utils.log.secrets_masker",  # 2.11
]


def masked(text: str) -> str:
    """Return ``text`` as a task's log would show it."""
    return str(_masker().redact(text))


def number_of_secrets() -> int:
    """Return how many secrets Airflow would mask."""
    return len(_masker().patterns)


def forget_secrets() -> None:
    """Forget all secrets. Airflow compiles them into one pattern again for each new one."""
    if not any(place in sys.modules for place in PLACES):
        return
    masker = _masker()
    masker.patterns, masker.replacer = set(), None


def _masker() -> Any:
    for place in PLACES:
        try:
            return importlib.import_module(place)._secrets_masker()
        except ImportError:  # another version of Airflow
            continue
    raise ImportError("Airflow's masker of secrets is in none of its known places")

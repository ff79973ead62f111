"""Airflow's masker of secrets: what a task's log would show, and a way to have it forget."""

from __future__ import annotations

import sys
from typing import Any

SDK, CORE = "airflow.sdk._shared.secrets_masker", "airflow.utils.log.secrets_masker"


def masked(text: str) -> str:
    """What a task's log would show of ``text``."""
    return str(_masker().redact(text))


def forget_secrets() -> None:
    """Forget all secrets. Airflow compiles all that it knows into one pattern, anew for each that comes."""
    if SDK not in sys.modules and CORE not in sys.modules:
        return
    masker = _masker()
    masker.patterns, masker.replacer = set(), None


def _masker() -> Any:
    try:
        from airflow.sdk._shared.secrets_masker import _secrets_masker
    except ImportError:
        from airflow.utils.log.secrets_masker import _secrets_masker
    return _secrets_masker()

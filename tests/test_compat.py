"""Every module, and every name from Airflow, on this environment's Airflow; `make matrix` runs it on all others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_alloincognito import compat


def test_all_is_imported_without_a_warning_of_a_deprecated_name() -> None:
    script = Path(__file__).with_name("every_module.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error_that_names_the_version() -> None:
    with pytest.raises(AttributeError, match=r"'Nothing' with Airflow \d"):
        compat.__getattr__("Nothing")

"""A Chromium before Airflow 3.3 and 2.11, each started as a user starts it, beside a sandbox."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import Standalone, Standalone2

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from ui import Place

# Only `make test-browser` installs Playwright.
collect_ignore = [] if find_spec("playwright") else ["test_browser.py", "test_site.py"]
DAGS = Path(__file__).with_name("dags")
AIRFLOW_2 = Path(__file__).parents[2] / ".venv-2.11" / "bin" / "python"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from chromium import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: ``IMAGES``, if it is set."""
    folder = Path(os.environ.get("IMAGES") or tmp_path_factory.mktemp("images"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module", params=["3.3", "2.11"])
def place(
    request: pytest.FixtureRequest,
    browser: Browser,
    images: Path,
) -> Iterator[Place]:
    """Airflow without Connections, with the DAG ``calls``."""
    from ui import Place, Ui2, Ui3

    is_3 = request.param == "3.3"
    python = sys.executable if is_3 else os.environ.get("AIRFLOW_2_PYTHON") or str(AIRFLOW_2)
    home = Path(tempfile.mkdtemp(prefix="airflow-"))  # screenshots show paths in it: a short one
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    with Sandbox(calls_per_day=20, daily_variation=False, recording_bytes=(720, 7200)) as sandbox:
        airflow = (Standalone if is_3 else Standalone2)(home, python, AIRFLOW__CORE__TEST_CONNECTION="Enabled")
        try:
            shutil.copy(DAGS / "calls_of_a_period.py", airflow.dags)
            airflow.wait_until_healthy()
            ui = (Ui3 if is_3 else Ui2)(page, airflow, images)
            ui.log_in()
            yield Place(airflow, ui, sandbox)
        finally:
            if request.session.testsfailed:
                page.screenshot(path=images / f"failed-{request.param}.png")
            page.close()
            airflow.stop()
            shutil.rmtree(home, ignore_errors=True)

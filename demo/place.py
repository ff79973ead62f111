"""Where the demo keeps its files, and Airflow's environment variables."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DAGS = REPOSITORY / "example_dags"


@dataclass(frozen=True)
class Place:
    """
    The demo's files.

    :param folder: holds all of them, and may be removed at any time.
    """

    folder: Path

    @property
    def airflow_home(self) -> Path:
        """Airflow's database and logs."""
        return self.folder / "airflow"

    @property
    def files(self) -> Path:
        """The files that the DAG writes."""
        return self.folder / "files"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def page(self) -> Path:
        """The report that a browser shows."""
        return self.folder / "report.html"

    @property
    def truth(self) -> Path:
        """The sandbox's own list of the calls, written without HTTP."""
        return self.folder / "truth.jsonl"

    @property
    def log(self) -> Path:
        """Airflow's log."""
        return self.folder / "airflow.log"

    def name(self, path: Path) -> str:
        """Return a path relative to the current folder."""
        return os.path.relpath(path)

    def make(self) -> None:
        """Create the folders and Airflow's Fernet key."""
        self.airflow_home.mkdir(parents=True, exist_ok=True)
        key = self.folder / "fernet_key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))

    def environment(self, *, first_day: str) -> dict[str, str]:
        """Return the environment variables of an Airflow that is independent of any other on this machine."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ALLO"))}
        return {
            **inherited,
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": (self.folder / "fernet_key").read_text(),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "ALLOINCOGNITO_FILES": f"file://{self.files}",
            "ALLOINCOGNITO_WAREHOUSE": str(self.warehouse),
            "ALLOINCOGNITO_REPORT": f"file://{self.page}",
            "ALLOINCOGNITO_FIRST_DAY": first_day,
        }

"""Where the demonstration keeps its things, and how it tells Airflow."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DAGS = REPOSITORY / "example_dags"


@dataclass(frozen=True)
class Place:
    """
    A folder that holds everything and may be removed at any time.

    :param folder: which.
    """

    folder: Path

    @property
    def airflow_home(self) -> Path:
        """Airflow's database and logs."""
        return self.folder / "airflow"

    @property
    def files(self) -> Path:
        """What the DAG lands."""
        return self.folder / "files"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def truth(self) -> Path:
        """The sandbox's own list of the calls, which did not go through HTTP."""
        return self.folder / "truth.jsonl"

    @property
    def log(self) -> Path:
        """All that Airflow says."""
        return self.folder / "airflow.log"

    def name(self, path: Path) -> str:
        """Name a path as seen from where the user stands."""
        return os.path.relpath(path)

    def make(self) -> None:
        """Make the folders, and the key that Airflow encrypts with."""
        self.airflow_home.mkdir(parents=True, exist_ok=True)
        key = self.folder / "fernet_key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))

    def environment(self, *, first_day: str) -> dict[str, str]:
        """Give the environment of an Airflow that knows nothing of any other on this machine."""
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
            "ALLOINCOGNITO_FIRST_DAY": first_day,
        }


def connection(url: str, authorization_token: str) -> str:
    """Give the Connection as Airflow takes it from the environment and from its command line."""
    return json.dumps({"conn_type": "alloincognito", "host": url, "password": authorization_token})

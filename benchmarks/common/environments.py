"""The environments of the other packages that are measured: made on first use, in ``.bench/``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.common.race import ROOT

FOLDER = ROOT / ".bench"
REQUIREMENTS = {
    "floors": ("orjson==3.13.0", "requests==2.34.2"),
    "HttpOperator": (
        "apache-airflow-providers-http==6.3.0",
        f"apache-airflow=={version('apache-airflow')}",
        "apache-airflow-providers-standard",
        "--constraints=constraints/airflow-3.3.txt",
    ),
    "dlt": ("dlt[filesystem,parquet]==1.31.0",),
    "duckdb": ("duckdb==2.0.0", "requests==2.34.2"),
    "polars": ("polars==2.1.0", "requests==2.34.2"),
    "airbyte-cdk": ("airbyte-cdk==7.39.1",),
    "singer-sdk": ("singer-sdk==0.54.9",),
}
PEERS = tuple(name for name in REQUIREMENTS if name != "floors")


def python_of(name: str) -> str:
    """Return the interpreter of an environment, which is made if it is missing or has other versions."""
    folder = FOLDER / name
    python, made = folder / "bin" / "python", folder / "made-from"
    wanted = "\n".join(REQUIREMENTS[name])
    if not made.exists() or made.read_text() != wanted:
        print(f"Making {folder.relative_to(ROOT)} ...", file=sys.stderr)
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--python", str(python), *REQUIREMENTS[name])
        made.write_text(wanted)
    return str(python)


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None:
        raise SystemExit("uv is needed to make the environments in .bench. Run `make environment`, which installs it.")
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([uv, *arguments, "--quiet"], cwd=ROOT, env=environment, check=True)

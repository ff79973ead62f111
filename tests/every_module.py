"""
Import every module of the installed package, and every name that it takes from Airflow.

Fails if one is deprecated: Airflow's warning then names a file of this package. Arguments are the parts to leave out,
because what they need is not installed.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from pathlib import Path

import airflow_provider_alloincognito as package
from airflow_provider_alloincognito import compat

NEWER = {"AssetWatcher": compat.HAS_ASSET_WATCHERS, "PartitionedAssetTimetable": compat.TASKS_HAVE_PARTITIONS}
"""Names that older versions of Airflow do not have."""


def main(*left_out: str) -> None:
    prefix = f"{package.__name__}."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for module in pkgutil.walk_packages(package.__path__, prefix):
            if not module.name.removeprefix(prefix).startswith((*left_out, "__main__")):
                importlib.import_module(module.name)
        for name in set(compat.__all__) - {name for name, is_there in NEWER.items() if not is_there}:
            getattr(compat, name)
    folder = str(Path(package.__file__).parent)
    ours = {f"{one.filename}:{one.lineno}: {one.message}" for one in caught if one.filename.startswith(folder)}
    if ours:
        sys.exit("\n".join(sorted(ours)))


if __name__ == "__main__":
    main(*sys.argv[1:])

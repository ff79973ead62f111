"""How to install what an extra of this package adds; the package itself need not be on the index that pip asks."""

from __future__ import annotations

DISTRIBUTION = "airflow-provider-alloincognito"


def how_to_install(extra: str) -> str:
    """
    Return a sentence with the command that installs an extra's requirements from any index.

    :param extra: its name, as in pyproject.toml.
    """
    from importlib.metadata import PackageNotFoundError, requires

    name = f"{DISTRIBUTION}[{extra}]"
    try:
        declared = [one.split(";") for one in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:  # only on the PYTHONPATH
        declared = []
    added = [requirement.strip() for requirement, *marker in declared if f"extra == '{extra}'" in "".join(marker)]
    command = f"pip install {' '.join(map(repr, added or [name]))}"
    return f"Install it with: {command} (the extra {name})."

"""The assets (Airflow 2.11: datasets) that stand for what tasks land: ``alloincognito://<dag id>/<task id>``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Asset

SCHEME = "alloincognito"


def landed_asset(dag_id: str, task_id: str) -> Asset:
    """
    Return the asset of a task that lands calls or recordings, to schedule a DAG by: ``schedule=[landed_asset(...)]``.

    :param dag_id: the task's DAG.
    :param task_id: the task, with the ids of its task groups: ``group.task``.
    """
    from airflow_provider_alloincognito.compat import Asset

    return Asset(uri=f"{SCHEME}://{_quoted(dag_id)}/{_quoted(task_id)}")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Normalize an asset's URI. Airflow calls it for each URI with this scheme.

    :raises ValueError: if the URI does not name a DAG and a task.
    """
    task_id = uri.path.removeprefix("/")
    if not uri.netloc or not task_id or "/" in task_id or uri.query:
        raise ValueError(f"URI format {SCHEME}:// must be {SCHEME}://<dag id>/<task id>")
    return uri._replace(netloc=_quoted(unquote(uri.netloc)), path=f"/{_quoted(unquote(task_id))}")


def _quoted(identifier: str) -> str:
    """Percent-encode what is not ASCII: Airflow takes letters of any alphabet in ids, but not in URIs."""
    return quote(identifier, safe="")

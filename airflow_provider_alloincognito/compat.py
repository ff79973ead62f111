"""
Airflow 2.11 to 3.3 under one set of names: the only file that knows Airflow's versions.

``from airflow_provider_alloincognito.compat import DAG`` gives Airflow 3's ``airflow.sdk.DAG``, or what it is called in
2.11. A name is looked up when it is first imported: a DAG file pays only for what it uses.

No library does it for all versions: Airflow's ``common.compat`` provider has most of these names from releases on that
the constraints of Airflow 2.11.0 to 3.1 exclude.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import airflow

if TYPE_CHECKING:
    from airflow.sdk import (
        DAG as DAG,
        Asset as Asset,
        AssetAlias as AssetAlias,
        AssetWatcher as AssetWatcher,
        BaseHook as BaseHook,
        BaseOperator as BaseOperator,
        BaseOperatorLink as BaseOperatorLink,
        BaseSensorOperator as BaseSensorOperator,
        Connection as Connection,
        Context as Context,
        ObjectStoragePath as ObjectStoragePath,
        Param as Param,
        PartitionedAssetTimetable as PartitionedAssetTimetable,
        Variable as Variable,
        task as task,
    )
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.exceptions import (
        AirflowFailException as AirflowFailException,
        AirflowNotFoundException as AirflowNotFoundException,
        AirflowSensorTimeout as AirflowSensorTimeout,
        AirflowSkipException as AirflowSkipException,
        AirflowTaskTerminated as AirflowTaskTerminated,
        AirflowTaskTimeout as AirflowTaskTimeout,
        TaskDeferred as TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.lineage import get_hook_lineage_collector as get_hook_lineage_collector
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.triggers.base import BaseEventTrigger as BaseEventTrigger

AIRFLOW_VERSION = tuple(map(int, airflow.__version__.split(".")[:2]))
"""Major and minor, such as ``(3, 3)``."""
DAG_TEST_TAKES_ASSETS = AIRFLOW_VERSION != (3, 0)
"""Whether ``dag.test()`` runs tasks with outlets that no scheduler has seen yet."""
MULTIPLE_OUTPUTS_TAKE_NONE = AIRFLOW_VERSION != (3, 0)
"""Whether a task with ``multiple_outputs`` may return values that are None."""
TASKS_ALONE_SET_VARIABLES = AIRFLOW_VERSION >= (3, 0)
"""Whether ``Variable.set`` fails outside a task or a trigger."""
TASKS_HAVE_PARTITIONS = AIRFLOW_VERSION >= (3, 3)
"""Whether a task can give its assets' events partition keys."""
FORM_TESTS_SAVED_PASSWORDS = AIRFLOW_VERSION >= (3, 0)
"""Whether the Connection form passes a password that is saved already to its Test button."""
HAS_ASSET_WATCHERS = AIRFLOW_VERSION >= (3, 0)
"""Whether a trigger can watch for an asset's events."""
DATABASE_IS_FOR_TASKS_ALONE = AIRFLOW_VERSION == (3, 0)
"""Whether :func:`outside_a_task` has no effect."""

# Where each name is, the newest version of Airflow first.
_PLACES: dict[str, tuple[str, ...]] = {
    "Asset": ("airflow.sdk:Asset", "airflow.datasets:Dataset"),
    "AssetAlias": ("airflow.sdk:AssetAlias", "airflow.datasets:DatasetAlias"),
    "AssetWatcher": ("airflow.sdk:AssetWatcher",),
    "BaseEventTrigger": ("airflow.triggers.base:BaseEventTrigger", "airflow.triggers.base:BaseTrigger"),
    "BaseHook": ("airflow.sdk:BaseHook", "airflow.hooks.base:BaseHook"),
    "BaseOperator": ("airflow.sdk:BaseOperator", "airflow.models.baseoperator:BaseOperator"),
    "BaseOperatorLink": ("airflow.sdk:BaseOperatorLink", "airflow.models.baseoperatorlink:BaseOperatorLink"),
    "BaseSensorOperator": ("airflow.sdk:BaseSensorOperator", "airflow.sensors.base:BaseSensorOperator"),
    "Connection": ("airflow.sdk:Connection", "airflow.models.connection:Connection"),
    "Context": ("airflow.sdk:Context", "airflow.utils.context:Context"),
    "DAG": ("airflow.sdk:DAG", "airflow.models.dag:DAG"),
    "ObjectStoragePath": ("airflow.sdk:ObjectStoragePath", "airflow.io.path:ObjectStoragePath"),
    "PartitionedAssetTimetable": ("airflow.sdk:PartitionedAssetTimetable",),
    "Param": ("airflow.sdk:Param", "airflow.models.param:Param"),
    "Variable": ("airflow.sdk:Variable", "airflow.models.variable:Variable"),
    "XCom": ("airflow.sdk.execution_time.xcom:XCom", "airflow.models.xcom:XCom"),
    "task": ("airflow.sdk:task", "airflow.decorators:task"),
    "conf": ("airflow.sdk.configuration:conf", "airflow.configuration:conf"),
    "get_hook_lineage_collector": (
        "airflow.sdk.lineage:get_hook_lineage_collector",
        "airflow.lineage.hook:get_hook_lineage_collector",
    ),
    "mask_secret": ("airflow.sdk.log:mask_secret", "airflow.utils.log.secrets_masker:mask_secret"),
    **{
        name: (f"airflow.sdk.exceptions:{name}", f"airflow.exceptions:{name}")
        for name in (
            "AirflowFailException",
            "AirflowNotFoundException",
            "AirflowSensorTimeout",
            "AirflowSkipException",
            "AirflowTaskTerminated",
            "AirflowTaskTimeout",
            "TaskDeferred",
        )
    },
}
__all__ = [
    "AIRFLOW_VERSION",
    "DAG_TEST_TAKES_ASSETS",
    "DATABASE_IS_FOR_TASKS_ALONE",
    "FORM_TESTS_SAVED_PASSWORDS",
    "HAS_ASSET_WATCHERS",
    "MULTIPLE_OUTPUTS_TAKE_NONE",
    "TASKS_ALONE_SET_VARIABLES",
    "TASKS_HAVE_PARTITIONS",
    "add_hook_lineage",
    "add_partitions",
    "events_of_inlets",
    "first_reschedule",
    "outside_a_task",
    "partition_key",
    "store_link",
    "triggering_events",
    "variable_or_none",
    "without_log_of_airflow",
    *_PLACES,
]


def __getattr__(name: str) -> Any:
    for place in _PLACES.get(name, ()):
        module, _, known_as = place.partition(":")
        try:
            found = getattr(importlib.import_module(module), known_as)
        except (ImportError, AttributeError):  # another version of Airflow
            continue
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r} with Airflow {airflow.__version__}")


def variable_or_none(key: str) -> str | None:
    """Return an Airflow Variable; None if there is none."""
    default = {"default" if AIRFLOW_VERSION >= (3, 0) else "default_var": None}
    value: str | None = __getattr__("Variable").get(key, **default)
    return value


def add_partitions(outlet_event: Any, keys: list[str]) -> bool:
    """Give an outlet's event partition keys; return whether this Airflow has them."""
    if TASKS_HAVE_PARTITIONS:
        outlet_event.add_partitions(keys)
    return TASKS_HAVE_PARTITIONS


def partition_key(context: Context) -> str | None:
    """Return the partition key of a run; None if it has none, as on versions of Airflow that have no such keys."""
    key: str | None = getattr(context.get("dag_run"), "partition_key", None)
    return key


def triggering_events(context: Context) -> list[Any]:
    """Return the events of assets that started a run, oldest first; none for a run by hand."""
    name = "triggering_asset_events" if AIRFLOW_VERSION >= (3, 0) else "triggering_dataset_events"
    by_asset: Any = context.get(name) or {}
    return sorted((event for events in by_asset.values() for event in events), key=lambda event: event.timestamp)


def events_of_inlets(context: Context, after: datetime) -> list[Any]:
    """Return the events of the assets that are a task's inlets, those after a moment. Not for Airflow 2."""
    found: list[Any] = []
    of_inlets: Any = context.get("inlet_events") or {}
    for asset in of_inlets:
        events = of_inlets[asset]
        if hasattr(events, "after"):  # older versions return all
            events = events.after(after.isoformat())
        found += [event for event in events if event.timestamp > after]
    return found


def add_hook_lineage(hook: BaseHook, kind: Literal["input", "output"], uri: str) -> None:
    """Report to Airflow's hook lineage collector what a hook has read or written."""
    collector: Any = __getattr__("get_hook_lineage_collector")()
    noun = "asset" if hasattr(collector, "add_input_asset") else "dataset"
    getattr(collector, f"add_{kind}_{noun}")(context=hook, uri=uri)


def store_link(context: Context, key: str, url: str) -> None:
    """Keep an operator link for the UI. Airflow 3 stores what ``get_link`` returns by itself."""
    if AIRFLOW_VERSION < (3, 0):
        context["ti"].xcom_push(key=key, value=url)


def first_reschedule(context: Context) -> datetime | None:
    """
    Return when a sensor's task was first rescheduled.

    None if it was not, and on Airflow 2, where only the metadata database knows it.
    """
    moment = getattr(context.get("ti"), "get_first_reschedule_date", lambda _: None)(context)
    # dag.test() of Airflow 3.0 has it as text.
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


@contextmanager
def without_log_of_airflow() -> Iterator[None]:
    """Drop what Airflow's own loggers say in the ``with`` block: of a missing table, pages of tracebacks."""
    airflows = logging.getLogger("airflow")
    level = airflows.level
    airflows.setLevel(logging.CRITICAL + 1)
    processors: list[Any] = []
    if AIRFLOW_VERSION >= (3, 0):  # its loggers are structlog's, and share one list
        import structlog

        processors = structlog.get_config()["processors"]
    processors.insert(0, _drop)
    try:
        yield
    finally:
        airflows.setLevel(level)
        processors.remove(_drop)


def _drop(*_: Any) -> Any:
    import structlog

    raise structlog.DropEvent


@contextmanager
def outside_a_task() -> Iterator[None]:
    """
    Let ``BaseHook.get_connection`` and ``Variable.get`` ask the metadata database in the ``with`` block, by Airflow's
    own backend.

    For programs that are run by hand, as Airflow 3 does for ``airflow connections test``: without it they find only
    what the environment and a secrets backend have. Airflow 2 needs none of it, and 3.0 has no such way.
    """
    name = "_AIRFLOW_PROCESS_CONTEXT"
    before = os.environ.get(name)
    os.environ[name] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

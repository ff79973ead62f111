"""DAGs that the events of assets start, for Airflow 2.11 and 3, as text."""

from __future__ import annotations

CONSUMER = """
from datetime import datetime

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.loading import landed_periods
from airflow_provider_alloincognito.compat import DAG, task

with DAG("consumer", schedule=[landed_asset("{dag_id}", "calls")], start_date=datetime(2025, 1, 1),
         is_paused_upon_creation=False):

    @task
    def read(**context):
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        return [event.extra for of_asset in events.values() for event in of_asset]

    @task
    def periods(**context):
        return [[period.name, period.calls] for period in landed_periods(context, "file:///nowhere")]

    read()
    periods()
"""

PARTITIONS = """
import os
from datetime import datetime

from airflow.sdk import PartitionedAssetTimetable

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.compat import DAG, task
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator

OPTIONS = {"start_date": datetime(2025, 1, 1), "is_paused_upon_creation": False}

with DAG("two_days", schedule=None, **OPTIONS):
    AlloincognitoCallListOperator(
        task_id="calls",
        period_start="2026-03-03",
        period_end="2026-03-05",
        output_path=f"file://{os.environ['AIRFLOW_HOME']}/two_days.jsonl",
        partition_by_day=True,
    )

with DAG("each_day", schedule=PartitionedAssetTimetable(assets=landed_asset("two_days", "calls")), **OPTIONS):

    @task
    def day(**context):
        return context["dag_run"].partition_key

    day()
"""

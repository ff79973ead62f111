"""A DAG that is started by hand, with a form for the period."""

from __future__ import annotations

import os
from datetime import datetime

from airflow_provider_alloincognito.compat import DAG
from airflow_provider_alloincognito.operators.alloincognito import AlloincognitoCallListOperator
from airflow_provider_alloincognito.operators.period import period_params

with DAG("calls", schedule=None, start_date=datetime(2026, 1, 1), params=period_params()):
    AlloincognitoCallListOperator(
        task_id="calls",
        output_path=f"file://{os.environ['AIRFLOW_HOME']}/calls/{{{{ period }}}}.jsonl",
    )

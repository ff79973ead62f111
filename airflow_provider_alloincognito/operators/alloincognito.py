"""The operators: call lists, recordings and results by hash become files."""

from __future__ import annotations

from airflow_provider_alloincognito.operators.call_list import AlloincognitoCallListOperator
from airflow_provider_alloincognito.operators.recording import AlloincognitoRecordingOperator
from airflow_provider_alloincognito.operators.request_result import AlloincognitoRequestResultOperator

__all__ = [
    "AlloincognitoCallListOperator",
    "AlloincognitoRecordingOperator",
    "AlloincognitoRequestResultOperator",
]

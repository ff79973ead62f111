"""
A sandbox: a server that speaks AlloIncognito's integration API, written from the API's text alone.

It shares no code with the client on purpose: a mistake in both would not be noticed.

.. code-block:: python

    from airflow_provider_alloincognito.sandbox import Sandbox, SandboxSettings

    with Sandbox(SandboxSettings(calls_per_day=100)) as sandbox:
        print(sandbox.url, sandbox.authorization_token)
"""

from __future__ import annotations

from airflow_provider_alloincognito.extras import how_to_install

try:
    import pydantic  # noqa: F401 - settings and faults need it
except ImportError as e:
    raise ImportError(f"The sandbox needs pydantic, FastAPI and uvicorn. {how_to_install('sandbox')}") from e

from airflow_provider_alloincognito.sandbox.faults import METHODS, Fault
from airflow_provider_alloincognito.sandbox.names import ROW_FIELDS
from airflow_provider_alloincognito.sandbox.request_log import LoggedRequest
from airflow_provider_alloincognito.sandbox.server import Sandbox
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings
from airflow_provider_alloincognito.sandbox.tokens import Rotation

__all__ = ["METHODS", "ROW_FIELDS", "Fault", "LoggedRequest", "Rotation", "Sandbox", "SandboxSettings"]
